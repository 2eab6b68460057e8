import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Each boundary with its reason: what is imported where is the structure of this project. */
const restrict = (...patterns) => ({ '@typescript-eslint/no-restricted-imports': ['error', { patterns }] });

const noNest = {
  regex: '^(@nestjs/|@golevelup/|rxjs|nestjs-)',
  message:
    'The core runs without Nest: plain programs and tests use it, and start faster. Nest lives in nest/ and apps/.',
};
const noAmqp = {
  regex: '^amqp',
  message:
    'Decisions are pure: what they need of a message is given to them, and reading and testing them needs no broker.',
};
const noRedis = {
  group: ['ioredis'],
  allowTypeImports: true,
  message: 'Loaded by import() when a RedisKeyStore is first used: whoever has no Redis does not install it.',
};
/** The library's wings, from the ground up: what a file may not import is told with the reason. */
const wing = (names, message) => ({ regex: `^(\\./|(\\.\\./)+)(${names.join('|')})(/|$)`, message });
const FEATURES = ['dead-letters', 'schedules', 'bus', 'key-stores'];
const SKINS = ['nest', 'testing', 'golevelup'];
const noSkins = wing(SKINS, 'The core knows nothing of Nest or of tests: the arrow points from the skins to the core.');
const noFeatures = wing(
  FEATURES,
  'What every task needs stands below what only some programs use: dead letters, schedules, the bus and key stores build on tasks, never the other way round.',
);
const noTasks = wing(
  ['tasks'],
  'broker/ moves messages and knows nothing of tasks: whoever learns or mends it needs to know AMQP alone. Give it what it needs.',
);
const noWings = wing(
  ['broker', 'tasks', ...FEATURES, ...SKINS],
  'On the ground nothing is known of what stands on it: these files are read without any other.',
);
const noOtherFeature = (own) =>
  wing(
    FEATURES.filter((name) => name !== own),
    'One feature never imports another: what two of them need belongs to tasks/ or broker/.',
  );
const noDeepImports = {
  regex:
    '(^@mercury/(messaging|tasks)/(?!(nest(/(health|metrics|logs))?|testing|golevelup|redis)$)|libs/(messaging|tasks)/src)',
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
  { ignores: ['dist/', 'node_modules/', '.cache/', 'coverage/', 'bench/', 'test/packages/fixtures/'] },
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
    files: ['libs/messaging/src/*.ts'],
    ignores: ['libs/messaging/src/index.ts', '**/*.spec.ts'],
    rules: restrict(noNest, noWings, noAmqp),
  },
  { files: ['libs/messaging/src/index.ts'], rules: restrict(noNest, noSkins) },
  {
    files: ['libs/messaging/src/broker/*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: restrict(noNest, noSkins, noFeatures, noTasks),
  },
  {
    files: ['libs/messaging/src/tasks/*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: restrict(noNest, noSkins, noFeatures),
  },
  ...FEATURES.map((name) => ({
    files: [`libs/messaging/src/${name}/*.ts`],
    ignores: ['**/*.spec.ts'],
    rules: restrict(noNest, noSkins, noRedis, noOtherFeature(name)),
  })),
  {
    files: [
      'libs/messaging/src/tasks/{outcome,retry-policy,history,task}.ts',
      'libs/messaging/src/dead-letters/{dead-letter,dead-letter-filter}.ts',
      'libs/messaging/src/schedules/{schedule,schedule-state}.ts',
      'libs/messaging/src/broker/delay.ts',
    ],
    rules: restrict(noNest, noSkins, noFeatures, noAmqp),
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
    ignores: [
      '**/broker/{establish,refusal,topology}.ts',
      '**/subscription.ts',
      '**/durable-subscription.ts',
      '**/*.spec.ts',
    ],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'CallExpression[callee.property.name=/^(assertQueue|assertExchange|bindQueue)$/]',
          message:
            'Only topology declares (and a subscription its temporary queue): arguments in two places drift apart.',
        },
      ],
    },
  },
  { files: ['apps/**/*.ts'], rules: restrict(noDeepImports, noOtherApp) },
  { files: ['examples/**/*.ts'], rules: restrict(noDeepImports, noOtherApp, noNest) },
  // Its subject is a Nest application that has golevelup's library already.
  { files: ['examples/11-golevelup/*.ts'], rules: restrict(noDeepImports, noOtherApp) },
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
