import type { Params } from 'nestjs-pino';
import type { DestinationStream } from 'pino';
import { escapeUnseen } from '../../json-text';

/** What Nest says of its own start, a line per module and route: nobody looks for it. */
const BOOT_CHATTER: readonly unknown[] = ['NestFactory', 'InstanceLoader', 'RoutesResolver', 'RouterExplorer'];

/**
 * For `LoggerModule.forRoot`: JSON lines in which what others wrote is plain to see, without a line per request, and so without pino-http's middleware on any route:
 * it would make a logger of its own for each request, a fourth of what a request costs.
 * @param level the least severe level that is printed, such as `info`.
 * @param destination default: stdout.
 */
export function structuredLogs(level: string, destination: DestinationStream = process.stdout): Params {
  return {
    forRoutes: [],
    pinoHttp: [
      {
        level,
        hooks: {
          streamWrite: escapeUnseen,
          logMethod(args, method) {
            const [first] = args as unknown[];
            const isChatter = typeof first === 'object' && first !== null && 'context' in first;
            if (!isChatter || !BOOT_CHATTER.includes(first.context)) method.apply(this, args);
          },
        },
      },
      destination,
    ],
  };
}
