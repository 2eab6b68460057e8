import { runMercury } from './program';

void runMercury(process.argv.slice(2)).then((code) => process.exit(code));
