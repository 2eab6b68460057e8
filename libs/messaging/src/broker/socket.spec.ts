import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { writeTogether } from './socket';

it('what is written at once leaves in one piece and in order, and nothing waits for a later turn', async () => {
  const sent: string[] = [];
  const socket = new Writable({
    writev(chunks, done) {
      sent.push(chunks.map(({ chunk }: { chunk: Buffer }) => chunk.toString()).join(' '));
      done();
    },
  });
  writeTogether(socket as unknown as Socket);
  for (const text of ['a', 'b', 'c']) socket.write(text);
  expect(sent).toEqual([]);
  await new Promise((resolve) => process.nextTick(resolve));
  expect(sent).toEqual(['a b c']);
  for (const text of ['d', 'e']) socket.write(text);
  await new Promise((resolve) => setImmediate(resolve));
  socket.end('f');
  await new Promise((resolve) => socket.once('finish', resolve));
  expect(sent).toEqual(['a b c', 'd e', 'f']);
});
