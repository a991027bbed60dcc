"""Content negotiation: which media types are accepted, and which one a response has."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from app.errors import ApiError, Cause, PlainError

JSON = "application/json"
VERSIONS = (9, 8)

_VENDOR_JSON = "application/vnd.elasticsearch+json"
# The type that is asked for, and the type of the response. One JSON document is also a valid ndjson response.
_SPOKEN = {
    "application/*": JSON,
    "application/json": JSON,
    "application/x-ndjson": JSON,
    "application/vnd.elasticsearch+json": _VENDOR_JSON,
    "application/vnd.elasticsearch+x-ndjson": _VENDOR_JSON,
}
# Elasticsearch supports these too; this service does not, and refuses them rather than respond in another type.
_FORMATS_NOT_SPOKEN = frozenset({"yaml", "cbor", "smile"})
_NOT_SPOKEN = frozenset(
    f"application/{prefix}{name}" for prefix in ("", "vnd.elasticsearch+") for name in _FORMATS_NOT_SPOKEN
)

_TYPE = re.compile(r"\s*([^\s/;,]+)\s*/\s*([^\s/;,]+)\s*")
_PARAMETER = re.compile(r"[!-<>-~](?:[ -<>-~]*[!-<>-~])?=[!-<>-~](?:[ -<>-~]*[!-<>-~])?")
_VERSION = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class MediaType:
    """One media type as a header gave it. `name` and `parameters` are in lower case, `raw` is not."""

    raw: str
    name: str
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def version(self) -> int | None:
        """The `compatible-with` number, if one was given."""
        text = self.parameters.get("compatible-with")
        return None if text is None else int(text)


def parse(header: str, raw: str | None) -> MediaType | None:
    """Read a header's value; None when it is absent, a list, or `*/*`: none of these asks for a type.

    Raises `ApiError` 400 for what is no media type.
    """
    if raw is None:
        return None
    if not raw.strip():
        raise _malformed(header, f"Header [{header}] cannot be empty.")
    # Browsers send lists; Elasticsearch ignores them.
    if "," in raw or raw.strip() == "*/*":
        return None
    first, *rest = raw.split(";")
    match = _TYPE.fullmatch(first)
    if match is None:
        raise _malformed(header, f"invalid media-type [{raw}]")
    parameters = {}
    for text in filter(None, (part.strip().lower() for part in rest)):
        name, _, value = text.partition("=")
        if not _PARAMETER.fullmatch(text) or (name == "compatible-with" and not _VERSION.fullmatch(value)):
            raise _malformed(header, f"invalid parameters for header [{raw}]")
        parameters[name] = value
    return MediaType(raw, f"{match[1]}/{match[2]}".lower(), parameters)


def check_versions(accept: MediaType | None, content_type: MediaType | None, *, has_body: bool) -> None:
    """Raises `ApiError` 400 for versions that are not supported and, with a body, for versions that differ."""
    _check_served("Accept", accept)
    if not has_body:
        return
    _check_served("Content-Type", content_type)
    versions = [media_type.version if media_type else None for media_type in (accept, content_type)]
    if versions[0] == versions[1]:
        return
    differ = (versions[0] or VERSIONS[0]) != (versions[1] or VERSIONS[0])
    headers = f"Accept={_shown(accept)}, Content-Type={_shown(content_type)}"
    raise _version_error(
        "A compatible version is required on both Content-Type and Accept headers if either one has requested a "
        f"compatible version{' and the compatible versions must match' if differ else ''}. {headers}"
    )


def response_type(accept: MediaType | None, content_type: MediaType | None, format_: str) -> str:
    """The content type of the response: what was asked for by `format`, by Accept, or else what was sent."""
    asked = _SPOKEN.get(accept.name) if accept else None
    sent = _SPOKEN.get(content_type.name) if content_type else None
    name = JSON if format_.lower() == "json" else asked or sent or JSON
    parameters = dict(accept.parameters) if accept else {}
    version = parameters.pop("compatible-with", None)
    if version is not None:
        parameters["compatible-with"] = version
    return ";".join([name, *(f"{key}={value}" for key, value in parameters.items())])


def check_spoken(accept: MediaType | None, format_: str) -> None:
    """Raises `PlainError` 406 for a response format of Elasticsearch's that is not supported here."""
    if format_.lower() in _FORMATS_NOT_SPOKEN:
        raise PlainError(406, f"format parameter [{format_}] is not supported")
    if accept is not None and accept.name in _NOT_SPOKEN and format_.lower() != "json":
        raise PlainError(406, f"Accept header [{accept.raw}] is not supported")


def check_body_type(raw: str | None, content_type: MediaType | None) -> None:
    """Raises `PlainError` 406 for a body of a type that is not supported here. `raw` is the header's value."""
    if content_type is None or content_type.name not in _SPOKEN:
        raise PlainError(406, f"Content-Type header [{raw or ''}] is not supported")


def _check_served(header: str, media_type: MediaType | None) -> None:
    if media_type is None or media_type.version is None or media_type.version in VERSIONS:
        return
    raise _version_error(
        f"{header} version must be either version {VERSIONS[0]} or {VERSIONS[1]}, "
        f"but found {media_type.version}. {header}={media_type.raw}"
    )


def _shown(media_type: MediaType | None) -> str:
    return media_type.raw if media_type else "null"


def _version_error(reason: str) -> ApiError:
    return _media_type_error("Accept, Content-Type", Cause("status_exception", reason))


def _malformed(header: str, reason: str) -> ApiError:
    return _media_type_error(header, Cause("illegal_argument_exception", reason))


def _media_type_error(headers: str, cause: Cause) -> ApiError:
    reason = f"Invalid media-type value on headers [{headers}]"
    return ApiError(400, Cause("media_type_header_exception", reason, caused_by=cause))
