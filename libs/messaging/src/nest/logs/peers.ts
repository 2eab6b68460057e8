import { needPeers } from '../../peers';

needPeers('@mercury/messaging/nest/logs', 'nestjs-pino', 'pino-http', 'pino');
