# aurora-shim on Node 20 (Debian 12). Build: docker build -t aurora-shim .
# Configuration: every flag as AURORA_<FLAG>, and DATABASE_URL (docs/flags.md). Without DATABASE_URL the
# embedded Postgres runs inside the container, with its data in the volume.

FROM node:20-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY src src
COPY thrift thrift
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:20-bookworm-slim
# What only building needs.
RUN rm -rf /usr/local/lib/node_modules /usr/local/include/node /opt/yarn* \
      /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
      /usr/local/bin/yarn /usr/local/bin/yarnpkg \
  && install -d -o node -g node -m 0700 /var/lib/aurora-shim
WORKDIR /app
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist/src dist/src
COPY thrift thrift
COPY package.json LICENSE NOTICE ./
COPY migrations migrations

ENV NODE_ENV=production \
    AURORA_IP=0.0.0.0 \
    AURORA_HTTP_PORT=8081 \
    AURORA_DATA_DIR=/var/lib/aurora-shim
VOLUME /var/lib/aurora-shim
EXPOSE 8081
USER node
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.AURORA_HTTP_PORT}/health`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/src/main.js"]
CMD ["serve"]
