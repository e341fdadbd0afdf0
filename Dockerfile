# One image for every part: `manage.py` is the entry and the part its argument (web, rqworker-pool, scheduler,
# migrate …). PostgreSQL and Redis are named by DATABASE_URL and REDIS_URL; none is in here. docs/deploy.md
ARG PYTHON=python:3.12-slim-bookworm

# hadolint ignore=DL3006
FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements-production.lock ./
# Wheels alone, each by its hash: nothing that is downloaded runs while the image is made.
RUN python -m venv /opt/countersign \
    && /opt/countersign/bin/python -m pip install --require-hashes --no-deps --only-binary :all: \
        -r requirements-production.lock \
    && /opt/countersign/bin/python -m pip check \
    && /opt/countersign/bin/python -m pip uninstall --yes --quiet pip
WORKDIR /app
COPY . ./
# Written once, since the root is read-only later. That every module of the product can be imported with these
# packages, and that settings and templates fit, is looked at here and not by the first process.
RUN /opt/countersign/bin/python -m compileall -q -j 0 /app /opt/countersign/lib \
    && COUNTERSIGN_DATA_DIR=/build/none /opt/countersign/bin/python manage.py check

# hadolint ignore=DL3006
FROM ${PYTHON}
# A number, so that `runAsNonRoot` can be checked; folders of its own, so that volumes are made for it.
RUN groupadd --gid 10001 countersign \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin countersign \
    && install -d -o 10001 -g 10001 -m 0700 /data /data/keys /data/exports /data/audit
COPY --from=build /opt/countersign /opt/countersign
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/opt/countersign/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    COUNTERSIGN_DATA_DIR=/data \
    COUNTERSIGN_HOST=0.0.0.0
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# Of a web process; the other parts name theirs (deploy/compose/compose.yaml).
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 \
    CMD ["python", "-m", "countersign.alive", "web"]
ENTRYPOINT ["python", "manage.py"]
CMD ["web"]
