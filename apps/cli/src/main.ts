import { runMercury } from './program';

// Who reads no further, as `head`, wants no more.
process.stdout.on('error', () => process.exit(0));
void runMercury(process.argv.slice(2)).then((code) => process.exit(code));
