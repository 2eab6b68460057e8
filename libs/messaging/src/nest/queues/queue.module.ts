import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { ConfigError } from '../../errors';
import type { QueueAsyncOptions } from '../messaging.options';
import { queueToken, type QueueOptions } from './queue';
import { Queues } from './queues';

/** What `MessagingModule.registerQueue` imports: the queues, injectable everywhere. */
@Module({})
export class QueueModule {
  static with(queues: readonly QueueAsyncOptions[]): DynamicModule {
    return {
      module: QueueModule,
      global: true,
      imports: queues.flatMap(({ imports = [] }) => imports),
      providers: queues.map((queue) => providerOf(queue)),
      exports: queues.map(({ name }) => queueToken(name)),
    };
  }
}

function providerOf({ name, inject = [], useFactory }: QueueAsyncOptions): Provider {
  const make = useFactory as (
    ...dependencies: unknown[]
  ) => Omit<QueueOptions, 'name'> | Promise<Omit<QueueOptions, 'name'>>;
  return {
    provide: queueToken(name),
    inject: [{ token: Queues, optional: true }, ...inject],
    useFactory: async (queues: Queues | undefined, ...dependencies: unknown[]) => {
      if (!queues)
        throw new ConfigError('MessagingModule.registerQueue', [
          'needs MessagingModule.forRoot, once in the application',
        ]);
      return queues.register({ ...(await make(...dependencies)), name });
    },
  };
}
