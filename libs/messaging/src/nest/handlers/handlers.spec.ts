import 'reflect-metadata';
import { Injectable, Logger, Module, Scope, UseGuards, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { MemoryBroker } from '../../testing';
import { MessagingModule, OnBusEvent, Queues, Schedule, TaskHandler } from '..';

const QUEUES = [{ name: 'emails' }, { name: 'invoices' }] as const;

function program(metadata: ModuleMetadata) {
  @Module(metadata)
  class AppModule {}
  return AppModule;
}

const connected = () => MessagingModule.forRoot({ connections: new MemoryBroker().connect() });

@Injectable()
class Mails {
  @TaskHandler('mail', { queue: 'emails' })
  send(): void {}
}

@Injectable()
class Elsewhere {
  @TaskHandler('elsewhere', { queue: 'emails' })
  run(): void {}
}

class Stray {
  @TaskHandler('stray', { queue: 'emails' })
  run(): void {}
}

describe('an application does not start', () => {
  class Twice {
    @TaskHandler('mail', { queue: 'emails' })
    again(): void {}
  }
  class Nowhere {
    @TaskHandler('x', { queue: 'nowhere' })
    run(): void {}
  }
  class Unnamed {
    @TaskHandler('x')
    run(): void {}
  }
  @Injectable({ scope: Scope.TRANSIENT })
  class Passing {
    @TaskHandler('passing', { queue: 'emails' })
    run(): void {}
  }
  @Injectable()
  class HandlingGuard extends class {
    canActivate(): boolean {
      return true;
    }
  } {
    @TaskHandler('guard', { queue: 'emails' })
    run(): void {}
  }
  @Injectable()
  class Guarded {
    @UseGuards(HandlingGuard)
    anything(): void {}
  }

  const many = () => [connected(), MessagingModule.registerQueue(...QUEUES)];

  it.each<[string, () => ModuleMetadata, RegExp]>([
    [
      'with two handlers for one type',
      () => ({ imports: many(), providers: [Mails, Twice] }),
      /two handlers for the type "mail" of queue "emails": .*Mails\.send and .*Twice\.again/,
    ],
    [
      'with a handler for a queue that it has not',
      () => ({ imports: many(), providers: [Nowhere] }),
      /Nowhere\.run: there is no queue "nowhere": registered are emails, invoices/,
    ],
    [
      'with a handler that could be of any of its queues',
      () => ({ imports: many(), providers: [Unnamed] }),
      /Unnamed\.run: which queue is it of\? .*registered are emails, invoices/,
    ],
    [
      'with a handler in a guard',
      () => ({ imports: many(), providers: [Guarded] }),
      /HandlingGuard\.run: its class is a guard, pipe, interceptor or filter/,
    ],
    [
      'with a handler in a transient class',
      () => ({ imports: many(), providers: [Passing] }),
      /Passing\.run: its class is transient.*make it request-scoped/,
    ],
    [
      'with handlers that are loaded and in no module',
      () => ({ imports: many(), providers: [Mails] }),
      new RegExp(`of ${Stray.name}.run.*: a handler is a method of a provider or controller`),
    ],
    ['with forRoot twice', () => ({ imports: [connected(), connected()] }), /forRoot is called more than once/],
    [
      'with a queue that is registered twice',
      () => ({ imports: [...many(), MessagingModule.registerQueue({ name: 'emails', capacity: 1 })] }),
      /the queue "emails" is registered twice/,
    ],
    [
      'with a queue and no forRoot',
      () => ({ imports: [MessagingModule.registerQueue(QUEUES[0])] }),
      /needs MessagingModule\.forRoot/,
    ],
    [
      'with options that cannot be',
      () => ({ imports: [connected(), MessagingModule.registerQueue({ name: 'emails', capacity: 0 })] }),
      /Queue "emails": capacity must be a whole number/,
    ],
    [
      'with an option that is misspelt where the compiler does not see it',
      () => {
        const misspelt = { capcity: 3, maxAttempts: 2 };
        const queue = MessagingModule.registerQueueAsync({ name: 'emails', useFactory: () => misspelt });
        return { imports: [connected(), queue] };
      },
      /Queue "emails": there is no option "capcity"/,
    ],
    [
      'with a misspelt option of forRoot',
      () => ({
        imports: [MessagingModule.forRootAsync({ useFactory: () => ({ rabbitUrl: 'amqp://x', topolgy: 'check' }) })],
      }),
      /forRoot: there is no option "topolgy"/,
    ],
    [
      'with a queue without a name',
      () => ({ imports: [connected(), MessagingModule.registerQueue({} as never)] }),
      /registerQueue: name is missing/,
    ],
    [
      'with a pattern that never comes, and says which method has it',
      () => {
        @Injectable()
        class Nightly {
          @Schedule('nightly', 'every night', { queue: 'emails' })
          run(): void {}
        }
        return { imports: many(), providers: [Nightly] };
      },
      /@Schedule\("nightly"\) of Nightly\.run: .*cron/,
    ],
    [
      'with a pattern on a direct bus',
      () => {
        @Injectable()
        class Deaf {
          @OnBusEvent('order.*', { bus: 'shop' })
          run(): void {}
        }
        const shop = MessagingModule.registerBus({ name: 'shop', kind: 'direct' });
        return { imports: [connected(), shop], providers: [Deaf] };
      },
      /Deaf\.run: "order\.\*" is a pattern, and "shop" a direct bus/,
    ],
  ])('%s', async (_what, metadata, message) => {
    const starting = NestFactory.createApplicationContext(program(metadata()), { logger: false, abortOnError: false });
    await expect(starting).rejects.toThrow(message);
  });

  it('but does without a handler of a class that may be of another program, and says so', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
    const imports = [connected(), MessagingModule.registerQueue(...QUEUES)];
    const module = await Test.createTestingModule({ imports, providers: [Stray] }).compile();
    await module.init();
    expect(module.get(Queues).find('emails')?.worker.types).toEqual(['stray']);
    expect(warn.mock.calls).toEqual([
      [expect.stringContaining(`Do not run here: @TaskHandler("elsewhere") of ${Elsewhere.name}.run`)],
    ]);
    await module.close();
    warn.mockRestore();
  });

  it('but does where a class overrides a handler without a decorator, and says so', async () => {
    class Base {
      @TaskHandler('base', { queue: 'emails' })
      run(): void {}

      @TaskHandler('kept', { queue: 'emails' })
      kept(): void {}
    }
    @Injectable()
    class Sub extends Base {
      override run(): void {}
    }
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
    const imports = [connected(), MessagingModule.registerQueue(...QUEUES)];
    const bare = { provide: 'bare', useValue: Object.create(Object.create(null) as object) as object };
    const module = await Test.createTestingModule({ imports, providers: [Stray, Elsewhere, Sub, bare] }).compile();
    await module.init();
    expect(module.get(Queues).find('emails')?.worker.types.toSorted()).toEqual(['elsewhere', 'kept', 'stray']);
    const told = 'Do not run, being overridden without a decorator: @TaskHandler("base") of Base.run by Sub.';
    expect(warn.mock.calls).toContainEqual([told]);
    await module.close();
    warn.mockRestore();
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      'a static method',
      () => {
        class Static {
          @TaskHandler('x') static run(): void {}
        }
        return Static;
      },
      /Static\.run is no method of its instances/,
    ],
    [
      'no method',
      () => TaskHandler('x')(Mails.prototype, 'none', undefined as never),
      /Mails\.none is no method of its instances/,
    ],
    [
      'of a type that is none, as a contract in a circle of imports',
      () => {
        class Early {
          @TaskHandler(undefined as unknown as string) run(): void {}
        }
        return Early;
      },
      /@TaskHandler\(undefined\) of Early\.run: its type must be .*what defineTask gave; undefined is a contract whose module/,
    ],
    [
      'of events of a pattern that is none',
      () => {
        class Early {
          @OnBusEvent({ key: 'x' } as unknown as string) run(): void {}
        }
        return Early;
      },
      /of Early\.run: its pattern must be .*what defineEvent gave; .* an object one of another copy/,
    ],
    [
      'of events, with rules that only a durable subscription has',
      () => {
        class Hopeful {
          @OnBusEvent('x', { maxAttempts: 5 }) run(): void {}
        }
        return Hopeful;
      },
      /Hopeful\.run: without "durable" .* no use for maxAttempts/,
    ],
    [
      'for a payload whose class is imported as a type only',
      () => {
        class Typed {
          // What compilers write for "import type".
          @TaskHandler('x') run(_payload: (...args: never[]) => unknown): void {}
        }
        return Typed;
      },
      /Typed\.run: its payload cannot be checked: .*"import type"; import the class/,
    ],
  ])('whose handler is %s: the class cannot even be loaded', (_what, load, message) => {
    expect(load).toThrow(message);
  });
});
