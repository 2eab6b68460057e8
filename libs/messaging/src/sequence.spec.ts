import { Gaps, Sequence } from './sequence';

it('finds no gap in what one publisher sends', () => {
  const [sequence, gaps] = [new Sequence(), new Gaps()];
  for (let event = 0; event < 5; event++) expect(gaps.before('info', sequence.next('info'))).toBe(0);
});

it('counts what is missing, once', () => {
  const [sequence, gaps] = [new Sequence(), new Gaps()];
  gaps.before('info', sequence.next('info'));
  for (let lost = 0; lost < 3; lost++) sequence.next('info');
  expect(gaps.before('info', sequence.next('info'))).toBe(3);
  expect(gaps.before('info', sequence.next('info'))).toBe(0);
});

it('counts each key by itself: who hears one level misses nothing of another', () => {
  const [sequence, gaps] = [new Sequence(), new Gaps()];
  gaps.before('critical', sequence.next('critical'));
  for (let other = 0; other < 3; other++) sequence.next('info');
  expect(gaps.before('critical', sequence.next('critical'))).toBe(0);
});

it('counts each publisher by itself, and from where it is first heard', () => {
  const gaps = new Gaps();
  const [one, two] = [new Sequence(), new Sequence()];
  for (let earlier = 0; earlier < 10; earlier++) one.next('info');
  expect(gaps.before('info', one.next('info'))).toBe(0);
  expect(gaps.before('info', two.next('info'))).toBe(0);
  expect(gaps.before('info', one.next('info'))).toBe(0);
});

it.each([
  [{}],
  [{ 'x-publisher': 'me' }],
  [{ 'x-publisher': 1, 'x-sequence': 1 }],
  [{ 'x-publisher': 'me', 'x-sequence': '7' }],
  [{ 'x-publisher': 'me', 'x-sequence': 2 ** 53 }],
])('finds none in events of foreign programs: %j', (headers) => {
  const gaps = new Gaps();
  expect([gaps.before('info', headers), gaps.before('info', headers)]).toEqual([0, 0]);
});

it('remembers no name that is longer than that of a publisher of ours', () => {
  const gaps = new Gaps();
  const headers = (number: number) => ({ 'x-publisher': 'x'.repeat(101), 'x-sequence': number });
  expect([gaps.before('info', headers(1)), gaps.before('info', headers(5))]).toEqual([0, 0]);
});

it('takes an event that was overtaken for none', () => {
  const [sequence, gaps] = [new Sequence(), new Gaps()];
  const [first, second] = [sequence.next('info'), sequence.next('info')];
  expect(gaps.before('info', second)).toBe(0);
  expect(gaps.before('info', first)).toBe(0);
});

it('forgets the keys first that were not used for longest, and remembers 10,000', () => {
  const [sequence, gaps] = [new Sequence(), new Gaps()];
  for (let other = 0; other < 15_000; other++) {
    for (const key of ['often', `key ${other}`]) expect(gaps.before(key, sequence.next(key))).toBe(0);
  }
  expect(sequence.next('often')).toMatchObject({ 'x-sequence': 15_001 });
  expect(gaps.before('often', sequence.next('often'))).toBe(1);
  const { last } = sequence as unknown as { last: Map<string, number> };
  const { heard } = gaps as unknown as { heard: Map<string, number> };
  expect([last.size, heard.size]).toEqual([10_000, 10_000]);
});
