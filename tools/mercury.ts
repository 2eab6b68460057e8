import { runMercury } from '../apps/cli/src/program';
import { useBroker } from './use-broker';

// Ends by itself: the broker that this command may have started is held by an open socket.
void runMercury(process.argv.slice(2), useBroker).then((code) => process.exit(code));
