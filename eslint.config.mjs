import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Each boundary with its reason: what is imported where is the structure of this project. */
const restrict = (...patterns) => ({ '@typescript-eslint/no-restricted-imports': ['error', { patterns }] });

const noNest = {
  regex: '^(@nestjs/|@golevelup/|rxjs|nestjs-)',
  message:
    'The core runs without Nest: plain programs and tests use it, and start faster. Nest lives in nest/ and apps/.',
};
const noNestFolder = {
  regex: '^\\.\\.?/(.*/)?nest(/|$)',
  message: 'The core knows nothing of its Nest layer: the arrow points from nest/ to the core.',
};
const noRedis = {
  group: ['ioredis'],
  allowTypeImports: true,
  message: 'Loaded by import() when a RedisKeyStore is first used: whoever has no Redis does not install it.',
};
const noDeepImports = {
  regex: '(^@mercury/(messaging|tasks)/(?!(nest|testing)$)|libs/(messaging|tasks)/src)',
  message: 'Applications use what the library exports, as its users do.',
};
const noOtherApp = {
  regex: '^(\\.\\./)+(\\.\\./)(producer|consumer|logger)/|apps/',
  message: 'Applications talk over the broker, never by import.',
};
/** Node 20 collects a time limit that only a combined signal knows of, and leaves a listener behind with each combination. */
const weakSignals = ['any', 'timeout'].map((property) => ({
  object: 'AbortSignal',
  property,
  message: 'Held weakly: a time limit of it may never come. Use LinkedSignal, or a timer and an AbortController.',
}));

export default tseslint.config(
  // The benchmark is checked with its own types: npm run --prefix bench lint.
  { ignores: ['dist/', 'node_modules/', '.cache/', 'coverage/', 'bench/'] },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'no-restricted-properties': ['error', ...weakSignals],
    },
  },
  // The tests of one file stay together: where its cases are many, reading them in two places would not be easier.
  {
    files: ['**/*.spec.ts'],
    rules: { 'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }] },
  },
  {
    files: ['libs/messaging/src/**/*.ts'],
    ignores: ['libs/messaging/src/nest/**', 'libs/messaging/src/testing/**'],
    rules: restrict(noNest, noNestFolder, noRedis),
  },
  {
    // Pure decisions: they know neither the broker nor a channel, so that reading and testing them needs neither.
    files: [
      'libs/messaging/src/**/{outcome,retry-policy,delay,dead-letter,dead-letter-filter,history,schedule,schedule-state,task,errors}.ts',
    ],
    rules: restrict(noNest, noNestFolder, {
      regex: '^amqp',
      message: 'Decisions are pure: what they need of a message is given to them.',
    }),
  },
  {
    files: ['libs/messaging/src/**/*.ts'],
    // Deliveries sends on what settlement decides; leadership acks what is in the schedule queue, in which there are no tasks.
    ignores: ['**/settlement.ts', '**/deliveries.ts', '**/subscription.ts', '**/leadership.ts', '**/*.spec.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        ...weakSignals,
        ...['ack', 'nack', 'reject', 'ackAll', 'nackAll'].map((property) => ({
          object: 'channel',
          property,
          message: 'Only settlement acks or rejects a task: two places would one day do it twice.',
        })),
      ],
    },
  },
  {
    files: ['libs/messaging/src/**/*.ts'],
    ignores: ['**/topology.ts', '**/event-bus.ts', '**/subscription.ts', '**/*.spec.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'CallExpression[callee.property.name=/^(assertQueue|assertExchange|bindQueue)$/]',
          message: 'Only topology (and the bus, for its own exchange) declares: arguments in two places drift apart.',
        },
      ],
    },
  },
  { files: ['apps/**/*.ts'], rules: restrict(noDeepImports, noOtherApp) },
  { files: ['examples/**/*.ts'], rules: restrict(noDeepImports, noOtherApp, noNest) },
  {
    files: ['**/*.{js,cjs}'],
    languageOptions: {
      sourceType: 'commonjs',
      globals: {
        require: 'readonly',
        module: 'writable',
        process: 'readonly',
        console: 'readonly',
        __dirname: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
        performance: 'readonly',
        AbortSignal: 'readonly',
        AbortController: 'readonly',
        fetch: 'readonly',
      },
    },
  },
  { files: ['**/*.spec.ts', 'test/**/*.ts'], rules: { '@typescript-eslint/unbound-method': 'off' } },
);
