"""No command: which client the cluster of ``ELASTICSEARCH_URL`` takes, asked before any client is installed.

Only the standard library is there yet, so the few settings are read from the environment; the service checks them later.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import ssl

from .source import Unavailable, http_get


def accepts_client(major: int) -> bool:
    """Ask the cluster whether it takes requests of an Elasticsearch client of this major.

    Any user gets the answer: Elasticsearch looks at the media type, which names the client's major, before privileges.

    Args:
        major: The client's major, 9 or 8.

    Returns:
        Whether it does.

    Raises:
        Unavailable: No address answers the question. The message shows no secret.
    """
    reason = "it names no address"
    for url in filter(None, map(str.strip, os.environ.get("ELASTICSEARCH_URL", "").split(","))):
        try:
            media_type = f"application/vnd.elasticsearch+json; compatible-with={major}"
            status, body = http_get(
                url, headers={"Accept": media_type, **_credentials()}, context=_tls_context(url)
            )
            response = json.loads(body)
        except OSError as error:
            reason = str(error)
        except ValueError:  # its message may quote a secret
            reason = "a setting is malformed, or the response is not Elasticsearch's"
        else:
            if status == 400 and _error_type(response) == "media_type_header_exception":
                return False
            if status in (200, 403):
                return True
            reason = f"it answers {status}"
    raise Unavailable(reason)


def _error_type(response: object) -> object:
    error = response.get("error") if isinstance(response, dict) else None
    return error.get("type") if isinstance(error, dict) else None


def _setting(name: str) -> str | None:
    return os.environ.get(f"ELASTICSEARCH_{name}") or None


def _credentials() -> dict[str, str]:
    if key := _setting("API_KEY"):
        return {"Authorization": f"ApiKey {key}"}
    if user := _setting("USERNAME"):
        text = f"{user}:{_setting('PASSWORD') or ''}"
        return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}
    return {}


def _tls_context(url: str) -> ssl.SSLContext | None:
    authority, certificate, fingerprint = map(_setting, ("CA_CERTS", "CLIENT_CERT", "CERT_FINGERPRINT"))
    if not url.startswith("https:"):
        if authority or certificate or fingerprint:  # no credentials over a connection that should be secure
            raise ConnectionError("its address is not https://")
        return None
    context = ssl.create_default_context(cafile=authority)
    if certificate:
        context.load_cert_chain(certificate, _setting("CLIENT_KEY"), password="")  # never ask for one
    if fingerprint:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.sslsocket_class = _pinned(fingerprint.replace(":", "").lower())
    return context


def _pinned(fingerprint: str) -> type[ssl.SSLSocket]:
    """Make a socket class whose handshake fails unless the server's certificate has the fingerprint."""

    class PinnedSocket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            certificate = self.getpeercert(binary_form=True) or b""
            if hashlib.sha256(certificate).hexdigest() != fingerprint:
                raise ConnectionError("the cluster's certificate has another fingerprint")

    return PinnedSocket
