import { describeChannels } from './channels';
import { describeDeliveries } from './deliveries';
import { describeDurableEvents } from './durable-events';
import { environments } from './environment';
import { describeEvents } from './events';
import { Stage } from './stage';
import { describeTaskOptions } from './task-options';
import { describeTasks } from './tasks';
import { describeUpkeep } from './upkeep';

/** The broker of `@mercury/messaging/testing` does what RabbitMQ does: the same tests on it and on real brokers. */
describe.each(environments().map((environment) => [environment.name, environment] as const))(
  '%s',
  (_name, environment) => {
    beforeAll(() => environment.open(), 180_000);
    afterAll(() => environment.close(), 60_000);
    const stage = new Stage(environment);

    describeChannels(stage);
    describeDeliveries(stage);
    describe('a task', () => {
      describeTasks(stage);
      describeTaskOptions(stage);
    });
    describeUpkeep(stage);
    describe('the event bus', () => describeEvents(stage));
    describe('a durable subscription', () => describeDurableEvents(stage));
  },
);
