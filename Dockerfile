# One image for all applications: compose and orchestrators choose by command.
FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json nest-cli.json ./
COPY libs libs
COPY apps apps
RUN npm run build:all && npm prune --omit=dev --no-audit --no-fund

FROM node:22-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build --chown=root:root /app/package.json ./
COPY --from=build --chown=root:root /app/node_modules node_modules
COPY --from=build --chown=root:root /app/dist dist
# The only place that the application may write to: the file sink of the logger.
RUN mkdir logs && chown node:node logs
USER node
# No shell in between: the process itself gets the SIGTERM.
CMD ["node", "dist/apps/producer/src/main.js"]
