/** The rules of the house. A file of its own, because they need the types of the packages that only the benchmark has. */
export { default } from '../eslint.config.mjs';
