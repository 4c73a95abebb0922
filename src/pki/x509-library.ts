// Decorator metadata must exist before the library's classes are defined, so this import stays first.
import 'reflect-metadata';

export * from '@peculiar/x509';
