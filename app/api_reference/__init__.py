"""The API reference: an OpenAPI document, made from the endpoints and their schemas, and a page that shows it."""
