import { needPeers } from '../../peers';

needPeers('@mercury/messaging/nest/health', '@nestjs/terminus');
