import { needPeers } from '../../peers';

needPeers('@mercury/messaging/nest/metrics', 'prom-client');
