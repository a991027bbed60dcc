# docker build --tag connector-sync-service .
# For an 8.x cluster: --build-arg ELASTICSEARCH_MAJOR=8. With what the setting TRACING needs: --build-arg TRACING=1
# BASE: any image with Python 3.11 or newer. BUILDER: the same Python with venv; only its /service is copied.
ARG BASE=python:3.13-slim
ARG BUILDER=${BASE}

FROM ${BUILDER} AS builder
ARG ELASTICSEARCH_MAJOR=9
ARG TRACING=0
COPY requirements /requirements
RUN python3 -m venv /installer && \
    python3 -m venv --without-pip /service/.venv && \
    /installer/bin/pip --python /service/.venv/bin/python install \
        --no-cache-dir --disable-pip-version-check --require-hashes \
        --requirement /requirements/runtime-${ELASTICSEARCH_MAJOR}.txt \
        $([ "$TRACING" = 0 ] || echo --requirement /requirements/tracing-${ELASTICSEARCH_MAJOR}.txt)
COPY gunicorn.conf.py /service/
COPY mappings /service/mappings
COPY scripts /service/scripts
COPY cli /service/cli
COPY app /service/app
# The service cannot write to its own folder, so it is compiled here.
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /service/app /service/cli /service/scripts

FROM ${BASE}
COPY --from=builder /service /service
COPY scripts/image/sync-jobs /usr/local/bin/
WORKDIR /service
ENV HOST=0.0.0.0 PYTHONDONTWRITEBYTECODE=1
EXPOSE 9280
USER 9280:9280
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["/service/.venv/bin/python", "-c", "\
import http.client, os; \
probe = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT') or 9280), timeout=2); \
probe.request('GET', '/healthz'); \
raise SystemExit(probe.getresponse().status != 200)"]
# After SIGTERM it completes requests in progress for up to 30 seconds, so stop it with docker stop --time 40.
CMD ["/service/.venv/bin/python", "-m", "gunicorn"]
