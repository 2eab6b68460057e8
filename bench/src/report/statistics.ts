/** Of the rounds of one measurement. */
export interface Spread {
  median: number;
  least: number;
  most: number;
}

/** @throws RangeError for no values. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const [least] = sorted;
  const most = sorted.at(-1);
  if (least === undefined || most === undefined) throw new RangeError('There is no median of nothing.');
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? most;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? least) + upper) / 2;
  return { median, least, most };
}

/**
 * Ratios within each round, and then their spread: what disturbs a round disturbs both sides of its ratios.
 * Rounds in which either is missing do not count; undefined when none is left.
 */
export function ratioOf(
  values: ReadonlyMap<number, number>,
  baselines: ReadonlyMap<number, number>,
): Spread | undefined {
  const ratios = [...values].flatMap(([round, value]) => {
    const baseline = baselines.get(round);
    return baseline === undefined || baseline === 0 ? [] : [value / baseline];
  });
  return ratios.length === 0 ? undefined : spreadOf(ratios);
}

/** Of the line through the points that is nearest to them (least squares), per unit of x; 0 for fewer than two. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanX = meanOf(points.map(([x]) => x));
  const meanY = meanOf(points.map(([, y]) => y));
  const spreadX = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  if (spreadX === 0 || points.length < 2) return 0;
  return points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spreadX;
}
