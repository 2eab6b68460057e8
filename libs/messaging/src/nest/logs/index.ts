// First: it says what is missing before anything asks for it.
import './peers';
export { structuredLogs } from './structured-logs';
