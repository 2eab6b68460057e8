import { firstSignal } from '../first-signal';
import { Scene } from './scene';
import { Screen } from './screen';
import { System } from './system';

/** `npm run demo`: the whole system on this machine, until Ctrl-C. `-- --once`: plays its scene, checks it, and ends. */
async function main(args: string[]): Promise<number> {
  if (args.some((arg) => arg !== '--once')) throw new Error('Usage: npm run demo, or npm run demo -- --once');
  const screen = new Screen();
  const system = new System(screen);
  const signal = firstSignal();
  try {
    const play = async () => {
      screen.heading('1. Start: a broker, three applications, and a receiver for webhooks');
      await system.start();
      await new Scene(system, screen).play();
      screen.heading('Everything happened as it should.');
    };
    const wasPlayed = await Promise.race([play().then(() => true), signal.then(() => false)]);
    if (wasPlayed && args.length === 0) {
      inviteToTry(system, screen);
      await signal;
    }
    screen.heading('Stopping ...');
    return 0;
  } catch (error) {
    screen.bad(error instanceof Error ? error.message : String(error));
    screen.print(system.lastWords());
    return 1;
  } finally {
    await system.stop();
    screen.line('Nothing is left running.');
  }
}

function inviteToTry(system: System, screen: Screen): void {
  const { producer, consumer, logger, management } = system.urls;
  const json = `-H 'content-type: application/json' -d`;
  const webhook = (path: '/ok' | '/broken') =>
    `{"type":"webhook.deliver","payload":{"url":"${system.receiver.urlOf(path)}","event":"try.me","data":{"n":1}}}`;
  system.onEvent = (line) => screen.from('logger', line);
  screen.heading('It goes on running. Try, in another terminal:');
  for (const [what, command] of [
    ['deliver a webhook', `curl -i ${producer}/v1/tasks ${json} '${webhook('/ok')}'`],
    ['one that dies', `curl -i ${producer}/v1/tasks ${json} '${webhook('/broken')}'`],
    ['a field is wrong', `curl -i ${producer}/v1/tasks ${json} '{"type":"sleep","payload":{"ms":"long"}}'`],
    ['publish an event', `curl -i ${producer}/v1/events ${json} '{"level":"critical","data":{"disk":"full"}}'`],
  ] as const) {
    screen.print(`\n  # ${what}\n  ${command}`);
  }
  screen.print('');
  screen.line(`API         ${producer}/docs`);
  screen.line(`Health      ${consumer}/health/ready   ${logger}/health/ready`);
  screen.line(`Metrics     ${consumer}/metrics`);
  if (management) screen.line(`RabbitMQ    ${management}   (user guest, password guest, unless it is your own)`);
  screen.print('\n  What happens is printed below. Ctrl-C ends it all.\n');
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
