import { Module, type DynamicModule } from '@nestjs/common';
import { LoggerModule as PinoModule } from 'nestjs-pino';
import { MessagingModule, brokerOptionsOf } from '@mercury/messaging/nest';
import { HealthModule } from '@mercury/messaging/nest/health';
import { MetricsModule } from '@mercury/messaging/nest/metrics';
import { structuredLogs } from '@mercury/messaging/nest/logs';
import { golevelupLink } from '@mercury/messaging/golevelup';
import { BusListener } from './bus-listener';
import { LoggerEnvironment } from './logger.config';
import { Operations } from './operations';
import { SINKS, openSinks } from './sinks';

@Module({})
export class LoggerModule {
  static with(environment: LoggerEnvironment): DynamicModule {
    return {
      module: LoggerModule,
      imports: [
        // On stderr: stdout belongs to the events.
        PinoModule.forRoot(structuredLogs(environment.LOG_LEVEL, process.stderr)),
        MessagingModule.forRoot({
          ...brokerOptionsOf(environment),
          link: golevelupLink,
          loggerName: environment.LOGGER_NAME,
        }),
        HealthModule,
        MetricsModule,
      ],
      providers: [
        { provide: LoggerEnvironment, useValue: environment },
        { provide: SINKS, useFactory: () => openSinks(environment.LOGGER_SINKS, environment.LOG_FILE) },
        BusListener,
        Operations,
      ],
    };
  }
}
