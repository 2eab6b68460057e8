import { schedulesOf, type Schedule } from './schedule';
import { ZoneGaps, type ZoneGap } from './zone-gaps';

const DAY_MS = 86_400_000;
const FROM_MS = Date.UTC(2025, 0, 1);
const UNTIL_MS = Date.UTC(2035, 0, 1);

function scheduled(cron: string, timeZone: string): Schedule {
  const problems: string[] = [];
  const [schedule] = schedulesOf([{ name: 'n', cron, timeZone, type: 't', body: {} }], 1_000, problems);
  if (!schedule) throw new Error(problems.join());
  return schedule;
}

function ticks(schedule: Schedule, afterMs: number, untilMs: number): number[] {
  const found: number[] = [];
  for (let tickMs = schedule.nextAfterMs(afterMs); tickMs <= untilMs; tickMs = schedule.nextAfterMs(tickMs)) {
    found.push(tickMs);
  }
  return found;
}

it('a gap is found at its second, with the local times that it leaves out', () => {
  const [gap] = new ZoneGaps('America/Nuuk').between(Date.UTC(2026, 0, 1), Date.UTC(2026, 6, 1));
  expect(gap).toEqual({
    atMs: Date.UTC(2026, 2, 29, 1),
    fromLocalMs: Date.UTC(2026, 2, 28, 23),
    untilLocalMs: Date.UTC(2026, 2, 29),
  });
  expect([...new ZoneGaps('UTC').between(FROM_MS, UNTIL_MS)]).toEqual([]);
});

it.each(['30 23 * * *', '0 23 * * *', '15,45 23 * * *', '0 30 23 * * *'])(
  'Greenland, whose gap ends at midnight, has a tick of "%s" right after it',
  (cron) => {
    const gapMs = Date.UTC(2026, 2, 29, 1);
    expect(ticks(scheduled(cron, 'America/Nuuk'), gapMs - DAY_MS / 2, gapMs + DAY_MS / 2)).toEqual([gapMs]);
  },
);

it('what has a wildcard goes on by the real hours there, too', () => {
  const gapMs = Date.UTC(2026, 2, 29, 1);
  const hourly = ticks(scheduled('30 * * * *', 'America/Nuuk'), gapMs - 3_600_000, gapMs + 3_600_000);
  expect(hourly).toEqual([gapMs - 1_800_000, gapMs + 1_800_000]);
});

describe('in all time zones and for ten years, a time that a gap leaves out', () => {
  /** Each gap once, whichever zones have it. */
  const gaps = new Map<string, ZoneGap & { zone: string }>();
  for (const zone of Intl.supportedValuesOf('timeZone')) {
    for (const gap of new ZoneGaps(zone).between(FROM_MS, UNTIL_MS)) {
      gaps.set(`${gap.atMs} ${gap.fromLocalMs}`, { ...gap, zone });
    }
  }

  const inMiddleOf = ({ fromLocalMs, untilLocalMs }: ZoneGap) => new Date((fromLocalMs + untilLocalMs) / 2);

  it.each<[string, (at: Date) => string, number]>([
    ['daily', (at) => `${at.getUTCMinutes()} ${at.getUTCHours()} * * *`, 1],
    ['weekly', (at) => `${at.getUTCMinutes()} ${at.getUTCHours()} * * ${at.getUTCDay()}`, 7],
    ['monthly', (at) => `${at.getUTCMinutes()} ${at.getUTCHours()} ${at.getUTCDate()} * *`, 28],
  ])('comes exactly once: %s', (_period, cronOf, days) => {
    expect(gaps.size).toBeGreaterThan(100);
    for (const gap of gaps.values()) {
      const cron = cronOf(inMiddleOf(gap));
      const around = ticks(scheduled(cron, gap.zone), gap.atMs - DAY_MS / 2, gap.atMs + DAY_MS / 2);
      expect({ ...gap, cron, around }).toEqual({ ...gap, cron, around: [gap.atMs] });
      const next = scheduled(cron, gap.zone).nextAfterMs(gap.atMs);
      expect(next - gap.atMs).toBeGreaterThan((days - 1) * DAY_MS);
    }
  });
});
