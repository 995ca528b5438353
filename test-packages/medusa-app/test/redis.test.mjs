import { describeListings } from '../support/listings.mjs';

describeListings('redis');
