package clinical;

import io.delta.storage.HadoopFileSystemLogStore;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.util.Iterator;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.PutObjectRequest;
import software.amazon.awssdk.services.s3.model.S3Exception;

/**
 * Delta commits on an S3 store by a conditional PUT: of two writers of one version exactly one wins, whichever process
 * they are in. Delta's own log store for S3 excludes only writers of one JVM, and the stream and the jobs are two.
 *
 * <p>Endpoint, keys and addressing come from the fs.s3a.* settings that the file system itself uses.
 */
public final class ConditionalS3LogStore extends HadoopFileSystemLogStore {
  private static final int PRECONDITION_FAILED = 412;
  private static final int CONFLICT = 409;

  private S3Client client;

  public ConditionalS3LogStore(Configuration configuration) {
    super(configuration);
  }

  @Override
  public void write(Path path, Iterator<String> actions, Boolean overwrite, Configuration configuration) throws IOException {
    StringBuilder text = new StringBuilder();
    actions.forEachRemaining(action -> text.append(action).append('\n'));
    URI place = path.toUri();
    PutObjectRequest.Builder request =
        PutObjectRequest.builder().bucket(place.getHost()).key(place.getPath().substring(1));
    if (!overwrite) {
      request.ifNoneMatch("*");
    }
    byte[] content = text.toString().getBytes(StandardCharsets.UTF_8);
    try {
      client(configuration).putObject(request.build(), RequestBody.fromBytes(content));
    } catch (S3Exception error) {
      if (overwrite || (error.statusCode() != PRECONDITION_FAILED && error.statusCode() != CONFLICT)) {
        throw new IOException(path + ": " + error.getMessage(), error);
      }
      // A request whose answer was lost is sent again and then meets its own commit, which names its transaction.
      if (!isOurs(place, content, configuration)) {
        throw new FileAlreadyExistsException(path.toString());
      }
    } catch (SdkException error) {
      throw new IOException(path + ": " + error.getMessage(), error);
    }
  }

  @Override
  public Boolean isPartialWriteVisible(Path path, Configuration configuration) {
    return false; // an object appears whole or not at all
  }

  private boolean isOurs(URI place, byte[] content, Configuration configuration) {
    try {
      byte[] there = client(configuration)
          .getObjectAsBytes(get -> get.bucket(place.getHost()).key(place.getPath().substring(1))).asByteArray();
      return java.util.Arrays.equals(there, content);
    } catch (S3Exception error) {
      return false; // 404: the other writer of a 409 has not finished; Delta looks again
    }
  }

  private synchronized S3Client client(Configuration configuration) {
    if (client == null) {
      client = S3Client.builder()
          .endpointOverride(URI.create(configuration.get("fs.s3a.endpoint")))
          .region(Region.of(configuration.get("fs.s3a.endpoint.region", "us-east-1")))
          .forcePathStyle(configuration.getBoolean("fs.s3a.path.style.access", true))
          .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create(
              configuration.get("fs.s3a.access.key"), configuration.get("fs.s3a.secret.key"))))
          .build();
    }
    return client;
  }
}
