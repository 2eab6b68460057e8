// First: it says what is missing before anything asks for it.
import './peers';
export { HealthModule } from './health.module';
