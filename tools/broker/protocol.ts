/** What a supervisor tells those who hold its broker, as JSON lines. */
export type SupervisorEvent =
  | { event: 'progress'; line: string }
  | { event: 'ready'; amqpUrl: string; managementUrl: string; version: string; from: string }
  | { event: 'failed'; code: string; message: string }
  | { event: 'done'; id: number }
  | { event: 'refused'; id: number; message: string };

/** What they may ask of it. `release` is answered when the broker is gone, for the last holder. */
export interface SupervisorRequest {
  id: number;
  command: 'start' | 'stop' | 'kill' | 'release';
}
