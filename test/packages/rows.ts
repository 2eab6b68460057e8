/** One fresh application: what it is, what it installs, and what must come of it. */
export interface Row {
  name: string;
  manager: 'npm' | 'pnpm';
  /** Folder of `fixtures`, copied whole; `README` is the first program of the package's README. */
  fixture: string;
  /** Beside the package itself. */
  dependencies: Readonly<Record<string, string>>;
  /** `type` of its package.json. */
  type?: 'commonjs' | 'module';
  /** TypeScript with each of these must find no mistake, with `skipLibCheck: false`. The last one builds what is run. */
  compilers?: readonly Compiler[];
  /** Run by Node.js or a program that was installed; its output must have these lines, in their order: their beginning, or what they match. */
  run: readonly string[];
  prints: readonly (string | RegExp)[];
  /** Versions that pnpm takes in place of those that packages ask for. */
  overrides?: Readonly<Record<string, string>>;
  /** It does not end by itself: when it has printed all, it is ended. */
  runsOn?: boolean;
  /** No package whose name begins so may be installed. */
  without?: readonly string[];
  /** Part of `npm test`. */
  isShort?: boolean;
}

export interface Compiler {
  /** A dependency that is TypeScript. */
  typescript: string;
  module: string;
  moduleResolution: string;
}

const NEST_11 = {
  '@nestjs/common': '^11.0.0',
  '@nestjs/core': '^11.0.0',
  '@nestjs/microservices': '^11.0.0',
  '@nestjs/platform-express': '^11.0.0',
  'class-transformer': '^0.5.1',
  'class-validator': '^0.15.1',
  'reflect-metadata': '^0.2.2',
  rxjs: '^7.8.1',
};
const NEST_12 = {
  ...NEST_11,
  '@nestjs/common': '^12.0.0',
  '@nestjs/core': '^12.0.0',
  '@nestjs/microservices': '^12.0.0',
  '@nestjs/platform-express': '^12.0.0',
};
const TESTING_11 = { '@nestjs/testing': '^11.0.0' };
const TESTING_12 = { '@nestjs/testing': '^12.0.0' };
const TYPES = { '@types/node': '^20.19.0' };
const OLD = { 'typescript-old': 'npm:typescript@~5.4.5' };
const NEW = { typescript: '~5.9.3' };

/** The last one for golevelup's own types, which are those of amqplib 0.10. */
const GOLEVELUP = {
  ...NEST_11,
  ...TYPES,
  ...NEW,
  '@golevelup/nestjs-rabbitmq': '^9.0.0',
  '@types/amqplib': '^0.10.8',
};

const RESOLUTIONS: readonly (readonly [module: string, moduleResolution: string])[] = [
  ['esnext', 'bundler'],
  ['node16', 'node16'],
  ['nodenext', 'nodenext'],
];
const both = (typescript: string) =>
  RESOLUTIONS.map(([module, moduleResolution]): Compiler => ({ typescript, module, moduleResolution }));
/** For CommonJS: `bundler` is for ESM alone. */
const NODE_10: readonly Compiler[] = ['typescript-old', 'typescript'].map((typescript) => ({
  typescript,
  module: 'commonjs',
  moduleResolution: 'node10',
}));
const ALL = [...both('typescript-old'), ...both('typescript')];
const CURRENT: readonly Compiler[] = [{ typescript: 'typescript', module: 'nodenext', moduleResolution: 'nodenext' }];

const NEST_PRINTS = [
  'guard',
  'interceptor',
  'Report 11 attempt 1 instance 1',
  'filter: again',
  'guard',
  'interceptor',
  'Report 11 attempt 2 instance 2',
  'event 11',
];
const PLAIN_PRINTS = ['report 11, attempt 1', 'report 11, attempt 2', 'event 11'];
const NO_NEST = ['@nestjs/', '@golevelup/', 'nestjs-pino', 'pino', 'prom-client', 'ioredis', 'rxjs', 'croner'];

const nest11 = (type: 'commonjs' | 'module', manager: Row['manager'], compilers: readonly Compiler[]): Row => ({
  name: `Nest 11, ${type === 'module' ? 'ESM' : 'CommonJS'}`,
  manager,
  fixture: 'nest',
  type,
  dependencies: { ...NEST_11, ...TYPES, ...NEW, ...(compilers.length > 1 ? OLD : {}) },
  compilers,
  run: ['node', 'app.js'],
  prints: NEST_PRINTS,
});

const SHARED_PRINTS = ['Mercury ran month 11', 'golevelup heard order 11'];
const REFUSED = ['refused: Not sent within 5000 ms: The connections of golevelup run on an amqplib below 2.3'];

const shared = (
  manager: Row['manager'],
  amqplib: string,
  prints: Row['prints'],
  overrides?: Row['overrides'],
): Row => ({
  name: `on golevelup's connections, amqplib ${amqplib} at the root${overrides ? ' and as an override' : ''}${prints === REFUSED ? ' (refused)' : ''}`,
  manager,
  fixture: 'golevelup-shared',
  type: 'commonjs',
  dependencies: { ...GOLEVELUP, amqplib },
  compilers: CURRENT,
  run: ['node', 'app.js'],
  prints,
  ...(overrides ? { overrides } : {}),
});
const perManager = (manager: Row['manager']): Row[] => [
  {
    ...nest11(
      'commonjs',
      manager,
      manager === 'npm' ? [...NODE_10, ...ALL.filter(({ module }) => module !== 'esnext')] : CURRENT,
    ),
    isShort: manager === 'npm',
  },
  nest11('module', manager, manager === 'npm' ? ALL : CURRENT),
  {
    name: 'Nest 12, ESM',
    manager,
    fixture: 'nest',
    type: 'module',
    dependencies: { ...NEST_12, ...TYPES, ...NEW, 'typescript-old': 'npm:typescript@~5.8.3' },
    compilers: [...both('typescript-old'), ...both('typescript')].filter(({ module }) => module !== 'node16'),
    run: ['node', 'app.js'],
    prints: NEST_PRINTS,
  },
  {
    name: 'no Nest, CommonJS',
    manager,
    fixture: 'plain',
    dependencies: {},
    run: ['node', 'app.cjs'],
    prints: PLAIN_PRINTS,
    without: NO_NEST,
  },
  {
    name: 'no Nest, ESM',
    manager,
    fixture: 'plain',
    dependencies: {},
    run: ['node', 'app.mjs'],
    prints: PLAIN_PRINTS,
    without: NO_NEST,
  },
  {
    name: 'golevelup 9 and amqplib 0.10 beside it',
    manager,
    fixture: 'golevelup',
    type: 'commonjs',
    dependencies: { ...GOLEVELUP, amqplib: '^0.10.9' },
    compilers: CURRENT,
    run: ['node', 'app.js'],
    prints: ['Mercury ran month 11', 'golevelup heard order 11'],
  },
];

const TESTS_PRINT = [/2 passed/];
const vitest = (nest: string, dependencies: Row['dependencies']): Row => ({
  name: `Vitest 4, ${nest}`,
  manager: 'npm',
  fixture: 'tests',
  type: 'module',
  dependencies: { ...dependencies, vitest: '^4.0.0', 'unplugin-swc': '^1.5.0', '@swc/core': '^1.10.0' },
  run: ['node_modules/.bin/vitest', 'run'],
  prints: TESTS_PRINT,
});

export const ROWS: readonly Row[] = [
  {
    name: 'the program of the README',
    manager: 'npm',
    fixture: 'README',
    type: 'module',
    dependencies: {},
    run: ['node', 'app.js'],
    prints: PLAIN_PRINTS.slice(0, 2),
    runsOn: true,
    isShort: true,
  },
  ...perManager('npm'),
  ...perManager('pnpm'),
  shared('npm', '~2.3.1', SHARED_PRINTS),
  shared('npm', '^0.10.9', REFUSED),
  shared('pnpm', '~2.3.1', SHARED_PRINTS, { amqplib: '~2.3.1' }),
  shared('pnpm', '~2.3.1', REFUSED),
  {
    name: 'Jest with @swc/jest, Nest 11',
    manager: 'npm',
    fixture: 'tests',
    dependencies: { ...NEST_11, ...TESTING_11, jest: '^30.0.0', '@swc/core': '^1.10.0', '@swc/jest': '^0.2.39' },
    run: ['node_modules/.bin/jest', '--config', 'jest.swc.json'],
    prints: TESTS_PRINT,
  },
  {
    name: 'Jest with ts-jest, Nest 11',
    manager: 'npm',
    fixture: 'tests',
    dependencies: {
      ...NEST_11,
      ...TESTING_11,
      ...TYPES,
      ...NEW,
      jest: '^30.0.0',
      'ts-jest': '^29.4.0',
      '@types/jest': '^30.0.0',
    },
    run: ['node_modules/.bin/jest', '--config', 'jest.ts.json'],
    prints: TESTS_PRINT,
  },
  vitest('Nest 11', { ...NEST_11, ...TESTING_11 }),
  vitest('Nest 12', { ...NEST_12, ...TESTING_12 }),
];
