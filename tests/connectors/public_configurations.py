"""Realistic configurations of the public connector types: field names, types, defaults and conditions.

They follow the types' public documentation where it has them, and are plausible where it does not; the labels and tooltips
are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Item = dict[str, Any]


@dataclass(frozen=True)
class Field:
    item: Item
    """The item as it is registered; what has no default has neither `value` nor `default_value`."""

    example: Any
    """What a user enters; for a list, the array."""


def _field(label: str, kind: str, display: str, example: Any, default: Any, more: Item) -> Field:
    value = {} if default is None else {"default_value": default, "value": default}
    return Field({"label": label, "type": kind, "display": display, **value, **more}, example)


def text(label: str, example: str, default: str | None = None, **more: Any) -> Field:
    return _field(label, "str", "text", example, default, more)


def lines(label: str, example: str = "first line\nsecond line\n", **more: Any) -> Field:
    return _field(label, "str", "textarea", example, None, more)


def secret(label: str, example: str = "hunter2", **more: Any) -> Field:
    return text(label, example, sensitive=True, **more)


def number(label: str, example: int, default: int | None = None, **more: Any) -> Field:
    return _field(label, "int", "numeric", example, default, more)


def tuning(label: str, default: int, **more: Any) -> Field:
    """A number that only few users change."""
    return number(label, default + 1, default, required=False, ui_restrictions=["advanced"], **more)


def flag(label: str, default: bool = False, **more: Any) -> Field:
    return _field(label, "bool", "toggle", not default, default, more)


def choice(label: str, *values: str, **more: Any) -> Field:
    """One of these; the first is the default, the last the example."""
    options = [{"label": value.replace("_", " ").title(), "value": value} for value in values]
    return _field(label, "str", "dropdown", values[-1], values[0], {"options": options, **more})


def many(label: str, *example: str, default: str | None = "*", **more: Any) -> Field:
    return _field(label, "list", "textarea", list(example), default, more)


def when(**values: Any) -> dict[str, Any]:
    """Shown only while these fields have these values."""
    return {"depends_on": [{"field": field, "value": value} for field, value in values.items()]}


def fields(**named: Field) -> dict[str, Field]:
    """The fields of a type, in the order of its form."""
    return {
        name: Field(field.item | {"order": order}, field.example)
        for order, (name, field) in enumerate(named.items(), 1)
    }


def at_most(limit: int) -> dict[str, Any]:
    return {"validations": [{"type": "less_than", "constraint": limit + 1}]}


def matching(pattern: str) -> dict[str, Any]:
    return {"validations": [{"type": "regex", "constraint": pattern}]}


POSITIVE = {"validations": [{"type": "greater_than", "constraint": 0}]}
HOST = text("Host", "db.example.org", placeholder="a name or an address")
USER = text("User", "reader")
PASSWORD = secret("Password")
CLIENT = {"client_id": text("Client", "0a1b-2c3d"), "client_secret": secret("Client secret")}
TENANT = text("Tenant", "6f1e-77aa")
ACCESS = flag("Sync access lists", tooltip="Users find only what they may read.")
RETRIES = tuning("Attempts", 3)
TEXT_SERVICE = flag("Own text extraction", ui_restrictions=["advanced"], tooltip="Needs its service.")
SSL = {
    "ssl_enabled": flag("Use TLS"),
    "ssl_ca": lines("Authority's certificate", required=False, **when(ssl_enabled=True)),
}
TABLES = many("Tables", "orders", "customers", tooltip="A star stands for all.")
FETCH_SIZE = tuning("Rows at a time", 50)


def downloads(default: int, limit: int | None = None) -> Field:
    return tuning("Downloads at a time", default, **at_most(limit or 100))


def atlassian(product: str) -> dict[str, Field]:
    """The ways to sign in to a product that is sold as a cloud, a server and a data center."""
    cloud = when(data_source=f"{product}_cloud")
    server = when(data_source=f"{product}_server")
    center = when(data_source=f"{product}_data_center")
    return {
        "data_source": choice("Edition", f"{product}_cloud", f"{product}_server", f"{product}_data_center"),
        "username": text("Server user", "reader", **server),
        "password": secret("Server password", **server),
        "data_center_username": text("Data center user", "reader", **center),
        "data_center_password": secret("Data center password", **center),
        "account_email": text("E-mail", "me@example.org", placeholder="me@example.org", **cloud),
        "api_token": secret("Token", **cloud),
        f"{product}_url": text("Address", "https://wiki.example.org/"),
    }


OUTLOOK_CLOUD, OUTLOOK_SERVER = when(data_source="outlook_cloud"), when(data_source="outlook_server")
DELEGATED = when(use_domain_wide_delegation_for_sync=True)
WITH_ACCESS = when(use_document_level_security=True)

PUBLIC: dict[str, dict[str, Field]] = {
    "azure_blob_storage": fields(
        account_name=text("Account", "files"),
        account_key=secret("Account key"),
        blob_endpoint=text("Endpoint", "https://files.example.org/", **matching("https?://.+")),
        containers=many("Containers", "invoices", "contracts"),
        retry_count=RETRIES,
        concurrent_downloads=downloads(50),
        use_text_extraction_service=TEXT_SERVICE,
    ),
    "box": fields(
        is_enterprise=choice("Kind of account", "box_free", "box_enterprise"),
        **CLIENT,
        refresh_token=secret("Refresh token", **when(is_enterprise="box_free")),
        enterprise_id=number("Enterprise", 1234567, **when(is_enterprise="box_enterprise")),
        concurrent_downloads=downloads(15),
    ),
    "confluence": fields(
        **atlassian("confluence"),
        spaces=many("Spaces", "DEV", "OPS"),
        index_labels=flag("Index labels"),
        **SSL,
        retry_count=RETRIES,
        concurrent_downloads=downloads(50, 50),
        use_document_level_security=ACCESS,
        use_text_extraction_service=TEXT_SERVICE,
    ),
    "dropbox": fields(
        path=text("Folder", "/team", required=False, placeholder="/a/b"),
        app_key=secret("App key"),
        app_secret=secret("App secret"),
        refresh_token=secret("Refresh token"),
        retry_count=RETRIES,
        concurrent_downloads=downloads(99),
        use_text_extraction_service=TEXT_SERVICE,
        use_document_level_security=ACCESS,
        include_inherited_users_and_groups=flag("Include inherited members", **WITH_ACCESS),
    ),
    "github": fields(
        data_source=choice("Edition", "github_cloud", "github_server"),
        host=text("Address", "https://git.example.org", **when(data_source="github_server")),
        auth_method=choice("Sign in with", "personal_access_token", "github_app"),
        token=secret("Token", **when(auth_method="personal_access_token")),
        repo_type=choice("Owner", "other", "organization"),
        org_name=text(
            "Organization", "acme", **when(auth_method="personal_access_token", repo_type="organization")
        ),
        app_id=number("App", 4711, **when(auth_method="github_app")),
        private_key=lines("App's private key", sensitive=True, **when(auth_method="github_app")),
        repositories=many("Repositories", "acme/site", "acme/shop"),
        **SSL,
        retry_count=RETRIES,
        use_text_extraction_service=TEXT_SERVICE,
        use_document_level_security=flag("Sync access lists", **when(repo_type="organization")),
    ),
    "gitlab": fields(
        token=secret("Token"),
        # Its default is `[]`, which no endpoint takes: workers write it into the index.
        projects=many("Projects", "acme/site", "acme/group/shop", default=None, required=False),
    ),
    "gmail": fields(
        service_account_credentials=lines("Service account", '{"type": "service_account"}', sensitive=True),
        subject=text("Administrator", "admin@example.org", **matching(r"[^@\s]+@[^@\s]+\.[a-z]+")),
        customer_id=text("Customer", "C01abc"),
        include_spam_and_trash=flag("Include spam and trash"),
        use_document_level_security=flag("Sync access lists", default=True),
    ),
    "google_cloud_storage": fields(
        buckets=many("Buckets", "photos", "scans"),
        service_account_credentials=lines("Service account", '{"type": "service_account"}', sensitive=True),
        use_text_extraction_service=TEXT_SERVICE,
    ),
    "google_drive": fields(
        service_account_credentials=lines("Service account", '{"type": "service_account"}', sensitive=True),
        use_domain_wide_delegation_for_sync=flag("Delegate for the domain"),
        google_workspace_admin_email_for_data_sync=text("Administrator", "admin@example.org", **DELEGATED),
        google_workspace_email_for_shared_drives_sync=text(
            "User of shared drives", "me@example.org", **DELEGATED
        ),
        use_document_level_security=ACCESS,
        google_workspace_admin_email=text(
            "Administrator of access lists",
            "admin@example.org",
            **when(use_document_level_security=True, use_domain_wide_delegation_for_sync=False),
        ),
        max_concurrency=tuning("Requests at a time", 25, **POSITIVE),
        use_text_extraction_service=TEXT_SERVICE,
    ),
    "graphql": fields(
        http_endpoint=text("Endpoint", "https://api.example.org/graphql"),
        http_method=choice("Method", "post", "get"),
        authentication_method=choice("Sign in with", "none", "bearer", "basic"),
        username=text("User", "reader", **when(authentication_method="basic")),
        password=secret("Password", **when(authentication_method="basic")),
        token=secret("Token", **when(authentication_method="bearer")),
        graphql_query=lines("Query", "query ($id: ID!) {\n  user(id: $id) { name }\n}\n"),
        graphql_variables=lines("Variables", '{"id": "1"}', required=False),
        graphql_object_list=lines("Objects and their ids", '{"company.staff": "id"}'),
        headers=lines("Headers", '{"accept": "application/json"}', required=False),
        pagination_model=choice("Pages", "no_pagination", "cursor_pagination"),
        pagination_key=text("Paged object", "company.staff", **when(pagination_model="cursor_pagination")),
        connection_timeout=tuning("Seconds to wait", 30),
    ),
    "jira": fields(
        **atlassian("jira"),
        projects=many("Projects", "SHOP", "SITE"),
        **SSL,
        retry_count=RETRIES,
        concurrent_downloads=downloads(99),
        use_document_level_security=ACCESS,
        use_text_extraction_service=TEXT_SERVICE,
    ),
    "microsoft_teams": fields(
        tenant_id=TENANT,
        client_id=CLIENT["client_id"],
        secret_value=secret("Client secret"),
        username=USER,
        password=PASSWORD,
    ),
    "mongodb": fields(
        host=text("Address", "mongodb://db.example.org:27017"),
        user=text("User", "reader", required=False),
        password=secret("Password", required=False),
        database=text("Database", "shop"),
        collection=text("Collection", "orders"),
        direct_connection=flag("Connect directly"),
        **SSL,
        tls_insecure=flag("Accept any certificate", **when(ssl_enabled=True)),
    ),
    "mssql": fields(
        host=HOST,
        port=number("Port", 1433),
        username=USER,
        password=PASSWORD,
        database=text("Database", "shop"),
        tables=TABLES,
        **SSL,
        schema=text("Schema", "sales", default="dbo", required=False),
        fetch_size=FETCH_SIZE,
        retry_count=RETRIES,
        validate_host=flag("Check the host's name"),
    ),
    "mysql": fields(
        host=HOST,
        port=number("Port", 3306),
        user=USER,
        password=PASSWORD,
        database=text("Database", "shop"),
        tables=TABLES,
        **SSL,
        fetch_size=FETCH_SIZE,
        retry_count=RETRIES,
    ),
    "network_drive": fields(
        username=USER,
        password=PASSWORD,
        server_ip=text("Address", "192.0.2.7"),
        server_port=number("Port", 4450, default=445),
        drive_path=text("Path", "shared/reports"),
        use_document_level_security=ACCESS,
        drive_type=choice("System", "windows", "linux", **WITH_ACCESS),
        identity_mappings=text(
            "File of identities",
            "/etc/identities.csv",
            required=False,
            **when(use_document_level_security=True, drive_type="linux"),
        ),
    ),
    "notion": fields(
        notion_secret_key=secret("Integration's token"),
        databases=many("Databases", "Tasks", "People", default=None),
        pages=many("Pages", "Home", "Café, à la carte", default=None),
        index_comments=flag("Index comments"),
        concurrent_downloads=downloads(30),
    ),
    "onedrive": fields(
        **CLIENT,
        tenant_id=TENANT,
        retry_count=RETRIES,
        concurrent_downloads=downloads(15),
        use_document_level_security=ACCESS,
        use_text_extraction_service=TEXT_SERVICE,
    ),
    "opentext_documentum": fields(
        host_url=text("Address", "https://documents.example.org:2099/"),
        username=USER,
        password=PASSWORD,
        repositories=many("Repositories", "legal", "archive"),
        **SSL,
    ),
    "oracle": fields(
        host=HOST,
        port=number("Port", 1521),
        username=USER,
        password=PASSWORD,
        connection_source=choice("Identified by", "sid", "service_name"),
        sid=text("SID", "ORCL", **when(connection_source="sid")),
        service_name=text("Service name", "shop.example.org", **when(connection_source="service_name")),
        tables=TABLES,
        fetch_size=FETCH_SIZE,
        retry_count=RETRIES,
        oracle_protocol=choice("Protocol", "TCP", "TCPS"),
        oracle_home=text("Home", "/opt/oracle", default="", required=False),
        wallet_configuration_path=text("Wallet", "/opt/wallet", default="", required=False),
    ),
    "outlook": fields(
        data_source=choice("Edition", "outlook_cloud", "outlook_server"),
        tenant_id=text("Tenant", "6f1e-77aa", **OUTLOOK_CLOUD),
        client_id=text("Client", "0a1b-2c3d", **OUTLOOK_CLOUD),
        client_secret=secret("Client secret", **OUTLOOK_CLOUD),
        exchange_server=text("Mail server", "192.0.2.7", **OUTLOOK_SERVER),
        active_directory_server=text("Directory", "192.0.2.8", **OUTLOOK_SERVER),
        username=text("User", "reader", **OUTLOOK_SERVER),
        password=secret("Password", **OUTLOOK_SERVER),
        domain=text("Domain", "mail.example.org", **OUTLOOK_SERVER),
        ssl_enabled=flag("Use TLS", **OUTLOOK_SERVER),
        ssl_ca=lines("Certificate", **when(data_source="outlook_server", ssl_enabled=True)),
        use_text_extraction_service=TEXT_SERVICE,
        document_level_security=flag("Sync access lists", **OUTLOOK_SERVER),
    ),
    "postgresql": fields(
        host=HOST,
        port=number("Port", 5432),
        username=USER,
        password=PASSWORD,
        database=text("Database", "shop"),
        schema=text("Schema", "public"),
        tables=TABLES,
        fetch_size=FETCH_SIZE,
        retry_count=RETRIES,
        **SSL,
    ),
    "redis": fields(
        host=HOST,
        port=number("Port", 6380, default=6379),
        username=text("User", "reader", required=False),
        password=secret("Password", required=False),
        database=many("Databases", "0", "1", "12"),
        ssl_enabled=flag("Use TLS"),
        mutual_tls_enabled=flag("Show our certificate", **when(ssl_enabled=True)),
        tls_certfile=text("Certificate file", "/etc/tls/crt", **when(mutual_tls_enabled=True)),
        tls_keyfile=text("Key file", "/etc/tls/key", **when(mutual_tls_enabled=True)),
    ),
    "s3": fields(
        buckets=many("Buckets", "logs", "backups"),
        aws_access_key_id=text("Access key", "reader"),
        aws_secret_access_key=secret("Secret key"),
        read_timeout=tuning("Seconds to read", 90),
        connect_timeout=tuning("Seconds to connect", 90),
        max_attempts=tuning("Attempts", 5),
        page_size=tuning("Objects at a time", 100),
    ),
    "salesforce": fields(domain=text("Domain", "acme.sandbox"), **CLIENT, use_document_level_security=ACCESS),
    "sandfly": fields(
        server_url=text("Address", "https://sandfly.example.org/v4"),
        username=USER,
        password=PASSWORD,
        enable_pass=flag("Index what passed"),
        verify_ssl=flag("Check certificates", default=True),
        fetch_days=number("Days back", 7, default=30),
    ),
    "servicenow": fields(
        url=text("Address", "https://desk.example.org"),
        username=USER,
        password=PASSWORD,
        services=many("Services", "Incident", "Knowledge"),
        retry_count=RETRIES,
        concurrent_downloads=downloads(10),
        use_text_extraction_service=TEXT_SERVICE,
        use_document_level_security=ACCESS,
    ),
    "sharepoint_online": fields(
        tenant_id=TENANT,
        tenant_name=text("Tenant's name", "acme"),
        client_id=CLIENT["client_id"],
        auth_method=choice("Sign in with", "certificate", "secret"),
        secret_value=secret("Client secret", **when(auth_method="secret")),
        certificate=lines("Certificate", sensitive=True, **when(auth_method="certificate")),
        private_key=lines("Private key", sensitive=True, **when(auth_method="certificate")),
        site_collections=many("Sites", "news", "news/archive"),
        enumerate_all_sites=flag("List all sites", default=True),
        fetch_subsites=flag("Include sites below", **when(enumerate_all_sites=False)),
        use_text_extraction_service=TEXT_SERVICE,
        use_document_level_security=ACCESS,
        **{
            f"fetch_{kind}_permissions": flag(f"Permissions: {kind}", default=True, **WITH_ACCESS)
            for kind in ("drive_item", "unique_page", "unique_list", "unique_list_item")
        },
    ),
    "sharepoint_server": fields(
        authentication=choice("Sign in with", "basic", "ntlm"),
        username=USER,
        password=PASSWORD,
        host_url=text("Address", "https://sites.example.org:8080"),
        site_collections=many("Sites", "news", "projects"),
        **SSL,
        retry_count=RETRIES,
        use_document_level_security=ACCESS,
        fetch_unique_list_permissions=flag("Permissions of lists", default=True, **WITH_ACCESS),
        fetch_unique_list_item_permissions=flag("Permissions of items", default=True, **WITH_ACCESS),
    ),
    "slack": fields(
        token=secret("Token"),
        fetch_last_n_days=number("Days back", 30, default=180, **POSITIVE),
        auto_join_channels=flag("Join channels"),
        sync_users=flag("Index users", default=True),
    ),
    "zoom": fields(
        account_id=text("Account", "KVx-a"),
        **CLIENT,
        fetch_past_meeting_details=flag("Details of past meetings"),
        recording_age=number("Months of recordings", 6),
    ),
}
