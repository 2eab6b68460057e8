// @ts-check
/** What every project shares. swc compiles each file alone, so types are checked by `npm run test:types` instead. */
const shared = {
  rootDir: __dirname,
  testEnvironment: 'node',
  transform: { '\\.ts$': ['@swc/jest', { swcrc: true }] },
  moduleNameMapper: {
    '^@mercury/messaging$': '<rootDir>/libs/messaging/src',
    '^@mercury/messaging/(nest|testing|golevelup|nest/(?:health|metrics|logs))$': '<rootDir>/libs/messaging/src/$1',
    '^@mercury/messaging/redis$': '<rootDir>/libs/messaging/src/key-stores/redis-key-store',
    '^@mercury/tasks$': '<rootDir>/libs/tasks/src',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/bench/dist/', '<rootDir>/.cache/'],
};

/** @type {import('jest').Config} */
module.exports = {
  projects: [
    { ...shared, displayName: 'unit', testMatch: ['<rootDir>/{libs,apps,tools,bench/src}/**/*.spec.ts'] },
    {
      ...shared,
      displayName: 'e2e',
      testMatch: ['<rootDir>/test/e2e/**/*.e2e.ts'],
      globalSetup: '<rootDir>/test/support/start-broker.ts',
      globalTeardown: '<rootDir>/test/support/stop-broker.ts',
    },
  ],
  testTimeout: 30_000,
  maxWorkers: 2,
};
