/** What Medusa's loaders, also those of version 1, read of a module's package. They write onto it, so it is not frozen. */
export interface MedusaCacheModule<Class> {
  service: Class;
}
