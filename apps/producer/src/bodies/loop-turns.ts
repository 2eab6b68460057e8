/** What takes long is done in slices of about so much; between two of them everybody else comes on. */
const SLICE_MS = 10;

let sliceBeganMs: number | undefined;
let lastTurn: Promise<void> = Promise.resolve();
let waitingCount = 0;

/**
 * Asked between two pieces of long work: undefined while the slice of this turn of the event loop is not over, else what
 * resolves in a later turn. Those who wait get one turn each, in order, and nobody overtakes them: so many long bodies together
 * hold the loop no longer than one, and the tasks of a batch stay in their order.
 */
export function turn(): Promise<void> | undefined {
  if (waitingCount > 0) return nextTurn();
  if (sliceBeganMs === undefined) {
    beginSlice();
    return undefined;
  }
  return performance.now() - sliceBeganMs < SLICE_MS ? undefined : nextTurn();
}

/** The same, also when the slice is not over: before a piece that takes most of one. */
export function nextTurn(): Promise<void> {
  waitingCount += 1;
  lastTurn = lastTurn.then(
    () =>
      new Promise((resolve) =>
        setImmediate(() => {
          waitingCount -= 1;
          beginSlice();
          resolve();
        }),
      ),
  );
  return lastTurn;
}

function beginSlice(): void {
  const beganMs = performance.now();
  sliceBeganMs = beganMs;
  setImmediate(() => {
    if (sliceBeganMs === beganMs) sliceBeganMs = undefined;
  });
}
