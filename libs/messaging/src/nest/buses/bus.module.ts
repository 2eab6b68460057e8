import { Module, type DynamicModule } from '@nestjs/common';
import { ConfigError } from '../../errors';
import { Buses, busToken, type BusOptions } from './buses';

/** What `MessagingModule.registerBus` imports: the buses, injectable everywhere. */
@Module({})
export class BusModule {
  static with(buses: readonly BusOptions[]): DynamicModule {
    return {
      module: BusModule,
      global: true,
      providers: buses.map((bus) => ({
        provide: busToken(bus.name),
        inject: [{ token: Buses, optional: true }],
        useFactory: (registry: Buses | undefined) => {
          if (registry) return registry.register(bus);
          throw new ConfigError('MessagingModule.registerBus', [
            'needs MessagingModule.forRoot, once in the application',
          ]);
        },
      })),
      exports: buses.map(({ name }) => busToken(name)),
    };
  }
}
