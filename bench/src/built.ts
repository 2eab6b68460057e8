import { createRequire } from 'node:module';
import { join } from 'node:path';
import type * as Messaging from '@mercury/messaging';
import type * as MessagingInNest from '@mercury/messaging/nest';
import type * as BrokerTools from '@mercury/tools/broker';
import type * as PortTools from '@mercury/tools/broker/ports';
import type * as RedisTools from '@mercury/tools/redis';

/** What `npm run build` has made: the product is measured as its users run it, not from sources. */
export const projectRoot = join(__dirname, '../..');
const requireBuilt = createRequire(join(projectRoot, 'dist/'));

/** Loaded when asked for: a peer's process must not carry the memory of Mercury. */
export const built = {
  messaging: () => requireBuilt('./libs/messaging/src') as typeof Messaging,
  messagingInNest: () => requireBuilt('./libs/messaging/src/nest') as typeof MessagingInNest,
  broker: () => requireBuilt('./tools/broker') as typeof BrokerTools,
  ports: () => requireBuilt('./tools/broker/ports') as typeof PortTools,
  redis: () => requireBuilt('./tools/redis') as typeof RedisTools,
  app: (name: 'producer' | 'consumer' | 'logger') => join(projectRoot, `dist/apps/${name}/src/main.js`),
};
