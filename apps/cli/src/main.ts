import { runMercury } from './program';

// Who reads no further, as `head`, wants no more.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
void runMercury(process.argv.slice(2)).then((code) => process.exit(code));
