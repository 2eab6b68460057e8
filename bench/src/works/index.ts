import { enqueue } from './enqueue';
import { handle } from './handle';
import type { Work } from './work';

/** In the order of the report. */
export const WORKS: readonly Work[] = [enqueue, handle];
