import { Example } from './example';

const golevelup = new Example('11-golevelup');

it('an event that golevelup heard becomes a task, which is tried again, on the same two connections', async () => {
  const app = await golevelup.stays('app');
  expect(await golevelup.ends('order', '4712')).toEqual(['Ordered 4712']);
  await app.until(/^Invoice for .*attempt 2$/);
  const [, heard, failure, invoice] = app.stdout;
  expect(heard).toMatch(/^Heard \{"order":4712\}, put task /);
  expect(failure).toMatch(/WARN.*Task "invoice" .* failed at attempt 1, and comes again in 1 s .*out of paper/);
  expect(invoice).toBe(`Invoice for {"order":4712}, task ${heard?.split(' ').at(-1)}, attempt 2`);
  app.signal('SIGINT');
  expect(await app.exit).toBe(0);
});
