import { Module, type DynamicModule } from '@nestjs/common';
import { LoggerModule as PinoModule } from 'nestjs-pino';
import { MessagingModule, OperationsModule, structuredLogs, brokerOptionsOf } from '@mercury/messaging/nest';
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
        OperationsModule,
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
