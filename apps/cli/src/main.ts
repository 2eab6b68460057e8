import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runMercury } from './program';

// Who reads no further, as `head`, wants no more.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
const { version } = JSON.parse(readFileSync(join(__dirname, '../package.json'), 'utf8')) as { version: string };
void runMercury(process.argv.slice(2), version).then((code) => process.exit(code));
