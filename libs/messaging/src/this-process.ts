import { hostname } from 'node:os';

/** `host:pid`, for people. */
export const THIS_PROCESS = `${hostname()}:${process.pid}`;
