import {
  Inject,
  Logger,
  Module,
  type DynamicModule,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { MemoryKeyStore } from '../key-stores/memory-key-store';
import { RedisKeyStore } from '../key-stores/redis-key-store';
import type { KeyStore } from '../tasks/key-store';

/** The application's KeyStore, for `@Inject` and for the `keyStore` of MessagingModule. */
export const KEY_STORE = Symbol('mercury.keyStore');

export interface KeyStoreOptions {
  /** A Redis that all processes share; undefined keeps keys in the memory of this process. */
  redisUrl: string | undefined;
}

/** Makes one KeyStore injectable everywhere in the application, and closes it in the end. */
@Module({})
export class KeyStoreModule implements OnModuleInit, OnApplicationShutdown {
  private readonly log = new Logger('KeyStore');

  constructor(@Inject(KEY_STORE) private readonly store: KeyStore) {}

  static forRoot({ redisUrl }: KeyStoreOptions): DynamicModule {
    const useFactory = () => (redisUrl === undefined ? new MemoryKeyStore() : new RedisKeyStore(redisUrl));
    return {
      module: KeyStoreModule,
      global: true,
      providers: [{ provide: KEY_STORE, useFactory }],
      exports: [KEY_STORE],
    };
  }

  onModuleInit(): void {
    const { store, log } = this;
    if (!(store instanceof RedisKeyStore)) {
      return log.log('No Redis: what was done is remembered by this process only, and until it ends.');
    }
    store.events.on('problem', (problem) => log.warn(problem.message));
    store.events.on('ready', () => log.log('Connected to Redis: what was done is remembered there.'));
    store.start();
  }

  /** Nest's last hook: running tasks have ended, and HTTP is closed. */
  async onApplicationShutdown(): Promise<void> {
    if (this.store instanceof RedisKeyStore) await this.store.stop();
  }
}
