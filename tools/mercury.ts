import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runMercury } from '../apps/cli/src/program';
import { projectRoot } from './broker/project';
import { useBroker } from './use-broker';

const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { version: string };
// Ends by itself: the broker that this command may have started is held by an open socket.
void runMercury(process.argv.slice(2), version, useBroker).then((code) => process.exit(code));
