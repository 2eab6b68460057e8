import { checkFrameMax } from './frame-max';

const SMALLEST = 8_192;

it.each([
  [undefined, undefined],
  [SMALLEST, undefined],
  [SMALLEST - 1, 'BROKER_FRAME_TOO_SMALL'],
  [4_096, 'BROKER_FRAME_TOO_SMALL'],
])('a connection with frames of %p bytes is refused with %p', (frameMax, code) => {
  let refusal: unknown;
  try {
    checkFrameMax(frameMax);
  } catch (error) {
    refusal = error;
  }
  expect((refusal as { code?: string } | undefined)?.code).toBe(code);
});
