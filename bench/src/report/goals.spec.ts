import { goalsTableOf, keyOf, resultsOf, type Goal } from './goals';
import { Samples } from './samples';

const of = { work: 'enqueue', variant: '', row: 'mercury', metric: 'ratePerS' };
const to = { ...of, row: 'amqplib' };

/** One round each. */
function samplesOf(mercury: number, amqplib: number): Samples {
  const samples = new Samples();
  samples.add({ work: 'enqueue', variant: '', row: 'mercury', round: 1, metrics: { ratePerS: mercury } });
  samples.add({ work: 'enqueue', variant: '', row: 'amqplib', round: 1, metrics: { ratePerS: amqplib } });
  return samples;
}

const resultOf = (goal: Goal, mercury: number, amqplib: number) => resultsOf([goal], samplesOf(mercury, amqplib))[0];

describe('a goal', () => {
  it.each([
    ['met', { atLeast: 0.95 }, 95, { isMet: true, isGrosslyMissed: false }],
    ['missed', { atLeast: 0.95 }, 94, { isMet: false, isGrosslyMissed: false }],
    ['missed by more than half', { atLeast: 0.95 }, 47, { isMet: false, isGrosslyMissed: true }],
    ['met from above', { atMost: 1.25 }, 125, { isMet: true, isGrosslyMissed: false }],
    ['missed from above', { atMost: 1.25 }, 249, { isMet: false, isGrosslyMissed: false }],
    ['missed more than twice over', { atMost: 1.25 }, 251, { isMet: false, isGrosslyMissed: true }],
    ['noisy, and never missed grossly', { atMost: 1.25, isNoisy: true }, 900, { isMet: false, isGrosslyMissed: false }],
  ])('is %s', (_what, bound, mercury, expected) => {
    expect(resultOf({ of, to, ...bound }, mercury, 100)).toMatchObject({ value: mercury / 100, ...expected });
  });

  it('is not missed grossly when one round comes near it', () => {
    const samples = samplesOf(10, 100);
    samples.add({ work: 'enqueue', variant: '', row: 'mercury', round: 2, metrics: { ratePerS: 60 } });
    samples.add({ work: 'enqueue', variant: '', row: 'amqplib', round: 2, metrics: { ratePerS: 100 } });
    expect(resultsOf([{ of, to, atLeast: 0.95 }], samples)).toMatchObject([{ isMet: false, isGrosslyMissed: false }]);
  });

  it('may be one measurement by itself', () => {
    expect(resultOf({ of, atMost: 10 }, 9, 1)).toMatchObject({ value: 9, isMet: true });
  });

  it('that was not measured has no result', () => {
    expect(resultsOf([{ of: { ...of, work: 'handle' }, to, atLeast: 1 }], samplesOf(1, 1))).toEqual([]);
    expect(resultsOf([{ of, to: { ...to, row: 'bullmq' }, atLeast: 1 }], samplesOf(1, 1))).toEqual([]);
  });
});

describe('the names of goals', () => {
  it('say what is compared with what, and only what differs', () => {
    expect(keyOf({ of, to, atLeast: 1 })).toBe('enqueue mercury ratePerS / amqplib');
    expect(keyOf({ of: { ...of, variant: '200/s' }, atLeast: 1 })).toBe('enqueue 200/s mercury ratePerS');
  });
});

describe('the table of goals', () => {
  it('says which are not met', () => {
    const results = resultsOf([{ of, to, atLeast: 0.95 }], samplesOf(90, 100));
    expect(goalsTableOf(results)).toContain('| enqueue mercury ratePerS | ÷ amqplib | ≥ 0.95 | 0.90 | **not met** |');
  });
});
