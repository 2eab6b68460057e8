import { Example, printedBy } from './example';

const headers = new Example('07-headers');

it('needs every header with x-match all, and one of them with any', async () => {
  const all = await headers.stays('listen', 'all');
  const any = await headers.stays('listen', 'any');
  await headers.ends('send', 'format=pdf', 'kind=log');
  await headers.ends('send', 'format=text', 'kind=report');
  await headers.ends('send', 'format=text', 'kind=log');
  await headers.ends('send', 'kind=report');
  expect(await headers.ends('send', 'format=pdf', 'kind=report')).toEqual(['Sent format=pdf kind=report']);
  await Promise.all([all, any].map((listener) => listener.until('Received format=pdf kind=report')));
  expect(printedBy(all)).toEqual(['Received format=pdf kind=report']);
  expect(printedBy(any)).toEqual([
    'Received format=pdf kind=log',
    'Received format=text kind=report',
    'Received kind=report',
    'Received format=pdf kind=report',
  ]);
  for (const listener of [all, any]) listener.signal('SIGINT');
  expect(await Promise.all([all.exit, any.exit])).toEqual([0, 0]);
});

it('receives an event with more headers than the binding names', async () => {
  const all = await headers.stays('listen', 'all');
  await headers.ends('send', 'format=pdf', 'kind=report', 'month=11');
  await all.until('Received format=pdf kind=report month=11');
});
