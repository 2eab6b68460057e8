import { schedulesOf, stepOf, tickId, type Schedule, type ScheduleOptions } from './schedule';

const LIMIT_BYTES = 1_000;
const task = { type: 'report', body: { days: 1 } };

function schedule(cron: string, options: Partial<ScheduleOptions> = {}): Schedule {
  const problems: string[] = [];
  const [found] = schedulesOf([{ name: 'nightly', cron, ...task, ...options }], LIMIT_BYTES, problems);
  if (!found) throw new Error(problems.join());
  return found;
}

const at = (text: string) => Date.parse(text);

/** All ticks after one time until another, as a leader would go from one to the next. */
function ticks(cron: string, timeZone: string, from: string, to: string): string[] {
  const found: string[] = [];
  const { nextAfterMs } = schedule(cron, { timeZone });
  for (let tickMs = nextAfterMs(at(from)); tickMs <= at(to); tickMs = nextAfterMs(tickMs)) {
    found.push(new Date(tickMs).toISOString().slice(5, 16));
  }
  return found;
}

function problemsOf(schedules: unknown): string[] {
  const problems: string[] = [];
  schedulesOf(schedules, LIMIT_BYTES, problems);
  return problems;
}

describe('the ticks of a schedule', () => {
  it('are those of its pattern in UTC', () => {
    expect(ticks('0 3 * * *', 'UTC', '2026-11-24T03:00:00Z', '2026-11-26T12:00:00Z')).toEqual([
      '11-25T03:00',
      '11-26T03:00',
    ]);
  });

  it('are those of its own time zone, in summer and in winter', () => {
    expect(ticks('0 3 * * *', 'Europe/Berlin', '2026-07-01T00:00:00Z', '2026-07-02T00:00:00Z')).toEqual([
      '07-01T01:00',
    ]);
    expect(ticks('0 3 * * *', 'Europe/Berlin', '2026-12-01T00:00:00Z', '2026-12-02T00:00:00Z')).toEqual([
      '12-01T02:00',
    ]);
    expect(ticks('0 3 * * *', 'Asia/Kolkata', '2026-12-01T00:00:00Z', '2026-12-02T00:00:00Z')).toEqual(['12-01T21:30']);
  });

  it.each([
    ['30 2 * * *', ['03-28T01:30', '03-29T01:00', '03-30T00:30']],
    ['30 2,14 * * *', ['03-28T01:30', '03-28T13:30', '03-29T01:00', '03-29T12:30', '03-30T00:30', '03-30T12:30']],
  ])('that the clock leaves out at the change to summer time come right after the gap: %s', (cron, expected) => {
    expect(ticks(cron, 'Europe/Berlin', '2026-03-28T00:00:00Z', '2026-03-30T22:00:00Z')).toEqual(expected);
  });

  it.each([
    ['30 2 * * *', ['10-24T00:30', '10-25T00:30', '10-26T01:30']],
    ['0 2,3 * * *', ['10-24T00:00', '10-24T01:00', '10-25T00:00', '10-25T02:00', '10-26T01:00', '10-26T02:00']],
  ])('at a fixed time that the clock shows twice come once: %s', (cron, expected) => {
    expect(ticks(cron, 'Europe/Berlin', '2026-10-23T22:00:00Z', '2026-10-26T12:00:00Z')).toEqual(expected);
  });

  it('in an interval go on through both changes, each once', () => {
    const halfHours = (from: string, to: string) => ticks('*/30 * * * *', 'Europe/Berlin', from, to);
    expect(halfHours('2026-03-29T00:00:00Z', '2026-03-29T02:00:00Z')).toEqual([
      '03-29T00:30',
      '03-29T01:00',
      '03-29T01:30',
      '03-29T02:00',
    ]);
    expect(halfHours('2026-10-25T00:00:00Z', '2026-10-25T02:00:00Z')).toEqual([
      '10-25T00:30',
      '10-25T01:00',
      '10-25T01:30',
      '10-25T02:00',
    ]);
  });

  it('give the task its id', () => {
    expect(tickId('nightly', at('2026-11-24T03:00:00Z'))).toBe('nightly@2026-11-24T03:00:00.000Z');
  });
});

describe('what is to be done', () => {
  const second = (text: string) => at(`2026-11-24T12:00:${text}Z`);

  it.each(['skip', 'run-once'] as const)('is to wait for the next tick, however far it is (%s)', (missed) => {
    const nowMs = at('2026-11-24T12:00:00Z');
    const yearly = schedule('0 0 1 1 *', { missed });
    expect(stepOf(yearly, nowMs, nowMs)).toEqual({ kind: 'wait', untilMs: at('2027-01-01T00:00:00Z') });
  });

  it.each(['skip', 'run-once'] as const)('is to enqueue a tick at its time and shortly after it (%s)', (missed) => {
    const every10s = schedule('*/10 * * * * *', { missed });
    const expected = { kind: 'enqueue', tickMs: second('10.000') };
    for (const now of ['10.000', '10.004', '14.999']) {
      expect(stepOf(every10s, second('00.000'), second(now))).toEqual(expected);
    }
  });

  it('is nothing before what is done, also when a clock was set back', () => {
    const everySecond = schedule('* * * * * *');
    expect(stepOf(everySecond, second('30.000'), second('10.000'))).toEqual({
      kind: 'wait',
      untilMs: second('31.000'),
    });
  });

  describe('with skip', () => {
    it('is to miss a tick that is more than 5 s late', () => {
      const every10s = schedule('*/10 * * * * *');
      expect(stepOf(every10s, second('00.000'), second('15.001'))).toEqual({
        kind: 'miss',
        firstMs: second('10.000'),
        lastMs: second('10.000'),
      });
    });

    it('is to miss all but the newest when that is in time', () => {
      const every10s = schedule('*/10 * * * * *');
      const doneMs = second('00.000');
      const nowMs = second('42.000');
      const step = stepOf(every10s, doneMs, nowMs);
      expect(step).toEqual({ kind: 'miss', firstMs: second('10.000'), lastMs: second('30.000') });
      expect(stepOf(every10s, second('30.000'), nowMs)).toEqual({ kind: 'enqueue', tickMs: second('40.000') });
    });
  });

  describe('with run-once', () => {
    it('is to enqueue every tick, oldest first, when it is up to a minute until somebody enqueues again', () => {
      const every10s = schedule('*/10 * * * * *', { missed: 'run-once' });
      const nowMs = at('2026-11-24T12:01:10Z');
      for (let doneMs = second('00.000'); doneMs < nowMs; doneMs += 10_000) {
        expect(stepOf(every10s, doneMs, nowMs)).toEqual({ kind: 'enqueue', tickMs: doneMs + 10_000 });
      }
    });

    it('is to enqueue one for all of a longer outage, the newest', () => {
      const everySecond = schedule('* * * * * *', { missed: 'run-once' });
      const doneMs = at('2026-01-01T00:00:00Z');
      const nowMs = at('2026-11-24T12:00:00.500Z');
      const step = stepOf(everySecond, doneMs, nowMs);
      const lastMs = at('2026-11-24T11:59:59Z');
      expect(step).toEqual({ kind: 'miss', firstMs: doneMs + 1_000, lastMs });
      expect(stepOf(everySecond, lastMs, nowMs)).toEqual({ kind: 'enqueue', tickMs: lastMs + 1_000 });
    });

    it('is to enqueue a tick that is months late when there was none since', () => {
      const yearly = schedule('0 0 1 1 *', { missed: 'run-once' });
      const tickMs = at('2026-01-01T00:00:00Z');
      expect(stepOf(yearly, at('2025-06-01T00:00:00Z'), at('2026-11-24T12:00:00Z'))).toEqual({
        kind: 'enqueue',
        tickMs,
      });
    });
  });
});

describe('schedules that are wrong', () => {
  const good = { name: 'nightly', cron: '0 3 * * *', ...task };

  it('are all named, each with all that is wrong', () => {
    const bad = {
      name: 'two words',
      cron: '61 * * * *',
      timeZone: 'Berlin',
      missed: 'later',
      type: '',
      body: [],
      timezone: '',
    };
    expect(problemsOf([good, bad, 7])).toEqual([
      'schedules[1] has an unknown field "timezone"',
      'schedules[1] name must be 1 to 100 printable ASCII characters without spaces',
      'schedules[1] timeZone must be an IANA name, such as Europe/Berlin',
      expect.stringMatching(/^schedules\[1\] cron is wrong: .*minute: 61/),
      'schedules[1] missed must be "skip" or "run-once"',
      'schedules[1] cannot be a task: A task must be a JSON object.',
      'schedules[2] must be an object',
    ]);
  });

  it.each([[undefined], ['* * * *'], ['* * * * * * 2030'], ['2026-12-01T00:00:00'], ['@reboot'], ['0 0 30 2 *'], [5]])(
    'for their pattern %p are refused',
    (cron) => {
      expect(problemsOf([{ ...good, cron }])).toEqual([expect.stringMatching(/^schedules\[0\] cron /)]);
    },
  );

  it.each(['0 3 * * *', '*/5 * * * * *', '@daily', ' 0  3 * * MON-FRI ', '0 0 L * *', '0 0 29 2 *'])(
    'do not have the pattern %p',
    (cron) => {
      expect(problemsOf([{ ...good, cron }])).toEqual([]);
    },
  );

  it('have the name of another, a body that is too large, or are no list', () => {
    expect(problemsOf([good, good])).toEqual(['schedules[1] name is that of another schedule']);
    expect(problemsOf([{ ...good, body: { text: 'x'.repeat(LIMIT_BYTES) } }])).toEqual([
      expect.stringMatching(/^schedules\[0\] cannot be a task: The body has/),
    ]);
    expect(problemsOf({ ...good })).toEqual(['schedules must be a list of at most 1000']);
  });
});
