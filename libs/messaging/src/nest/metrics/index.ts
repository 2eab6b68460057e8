// First: it says what is missing before anything asks for it.
import './peers';
export { Metrics } from './metrics';
export { MetricsModule } from './metrics.module';
