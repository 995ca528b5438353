import { describeListings } from '../support/listings.mjs';

describeListings('memcached');
